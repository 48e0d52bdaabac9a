/** TOML with places: each key and value is found where the text has it. */
import { formatValue } from "../../src/config/format_value.ts";
import { TomlDocument } from "../../src/config/toml.ts";
import type { KeyPath } from "../../src/config/toml.ts";
import { assertEquals } from "../deps.ts";

const TEXT = `# a comment
mount.point = "/m"
mount.deep.er = [1,
  2, { in = "line", and.so.on = 3 }]

[[branch]]
path = """
two
lines"""
[branch.map]
  uid = 1

[[branch]]
"quoted key" = 'literal'
   "é" = 1979-05-27T07:32:00Z
empty = {}

[run.env]
`;

const PLACES: [path: KeyPath, key: string, value: string][] = [
  [["mount"], "2:1", "2:1"],
  [["mount", "point"], "2:7", "2:15"],
  [["mount", "deep"], "3:7", "3:7"],
  [["mount", "deep", "er"], "3:12", "3:17"],
  [["mount", "deep", "er", 0], "3:18", "3:18"],
  [["mount", "deep", "er", 2], "4:6", "4:6"],
  [["mount", "deep", "er", 2, "in"], "4:8", "4:13"],
  [["mount", "deep", "er", 2, "and", "so", "on"], "4:28", "4:33"],
  [["branch"], "6:1", "6:1"],
  [["branch", 0], "6:1", "6:1"],
  [["branch", 0, "path"], "7:1", "7:8"],
  [["branch", 0, "map"], "10:1", "10:1"],
  [["branch", 0, "map", "uid"], "11:3", "11:9"],
  [["branch", 1], "13:1", "13:1"],
  [["branch", 1, "quoted key"], "14:1", "14:16"],
  [["branch", 1, "é"], "15:4", "15:10"],
  [["branch", 1, "empty"], "16:1", "16:9"],
  [["run"], "18:1", "18:1"],
  [["run", "env"], "18:1", "18:1"],
];

Deno.test("keys and values are where the text has them", async (t) => {
  const document = TomlDocument.parse(TEXT);
  for (const [path, key, value] of PLACES) {
    await t.step(path.join("."), () => {
      const place = document.locate(path)!;
      assertEquals([place.key, place.value].map(({ line, column }) => `${line}:${column}`), [key, value]);
    });
  }
});

Deno.test("what the text does not say is nowhere", () => {
  const document = TomlDocument.parse(TEXT);
  for (const path of [["nothing"], ["mount", "point", "x"], ["branch", 2], ["branch", "0"], ["mount.point"]]) {
    assertEquals(document.locate(path), undefined, path.join("."));
  }
});

Deno.test("values are those of the text", () => {
  const { value } = TomlDocument.parse(TEXT);
  assertEquals(JSON.parse(JSON.stringify(value)), {
    mount: { point: "/m", deep: { er: [1, 2, { in: "line", and: { so: { on: 3 } } }] } },
    branch: [
      { path: "two\nlines", map: { uid: 1 } },
      { "quoted key": "literal", é: "1979-05-27T07:32:00.000Z", empty: {} },
    ],
    run: { env: {} },
  });
});

Deno.test("lines end as on Windows too", () => {
  const document = TomlDocument.parse("a = 1\r\n\r\n[b]\r\nc = 2\r\n");
  assertEquals(document.locate(["b", "c"]), { key: { line: 4, column: 1 }, value: { line: 4, column: 5 } });
});

Deno.test("values are written as TOML has them", async (t) => {
  const values: [value: unknown, written: string][] = [
    [true, "true"],
    [1.5, "1.5"],
    ['a "b"\\\n\x7f\0é', '"a \\"b\\"\\\\\\n\\u007f\\u0000é"'],
    [["a", ["b"], []], '["a", ["b"], []]'],
    [{ plain: 1, "with space": { x: "y" }, empty: {} }, '{ plain = 1, "with space" = { x = "y" }, empty = {} }'],
  ];
  for (const [value, written] of values) {
    await t.step(written, () => {
      assertEquals(formatValue(value), written);
      assertEquals(JSON.stringify(TomlDocument.parse(`value = ${written}`).value), JSON.stringify({ value }));
    });
  }
});
