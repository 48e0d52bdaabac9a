/** Extended attributes in the memory filesystem. */
import { XATTR_CREATE, XATTR_REPLACE } from "../../../src/fs/flags.ts";
import { assertEquals } from "../../deps.ts";
import { assertErrno } from "../../support/assert_errno.ts";
import { MemoryMount } from "./memory_mount.ts";

const VALUE = new Uint8Array([1, 0, 255]);

Deno.test("attributes are set, read, listed and removed, on files of every kind", () => {
  const { filesystem, context } = new MemoryMount();
  const link = filesystem.makeSymbolicLink(1, "link", "target", context).node;
  for (const node of [1, link]) {
    assertEquals([...filesystem.listExtendedAttributes(node)], []);
    for (const name of ["user.a", "trusted.b", "security.c"]) {
      filesystem.setExtendedAttribute(node, name, VALUE, 0);
      assertEquals(filesystem.getExtendedAttribute(node, name), VALUE);
    }
    filesystem.removeExtendedAttribute(node, "trusted.b");
    assertEquals(filesystem.getExtendedAttribute(node, "trusted.b"), undefined);
    assertEquals([...filesystem.listExtendedAttributes(node)], ["user.a", "security.c"]);
    assertErrno("ENODATA", () => filesystem.removeExtendedAttribute(node, "trusted.b"));
  }
});

Deno.test("a value is copied, for the buffer it came in is used again", () => {
  const { filesystem } = new MemoryMount();
  const buffer = VALUE.slice();
  filesystem.setExtendedAttribute(1, "user.a", buffer, 0);
  buffer.fill(9);
  assertEquals(filesystem.getExtendedAttribute(1, "user.a"), VALUE);
});

Deno.test("XATTR_CREATE and XATTR_REPLACE mean what they say", () => {
  const { filesystem } = new MemoryMount();
  assertErrno("ENODATA", () => filesystem.setExtendedAttribute(1, "user.a", VALUE, XATTR_REPLACE));
  filesystem.setExtendedAttribute(1, "user.a", VALUE, XATTR_CREATE);
  assertErrno("EEXIST", () => filesystem.setExtendedAttribute(1, "user.a", VALUE, XATTR_CREATE));
  filesystem.setExtendedAttribute(1, "user.a", new Uint8Array(0), XATTR_REPLACE);
  assertEquals(filesystem.getExtendedAttribute(1, "user.a")?.length, 0);
});

Deno.test("names, values and lists have the kernel's limits", () => {
  const { filesystem } = new MemoryMount();
  const set = (name: string, size: number) => filesystem.setExtendedAttribute(1, name, new Uint8Array(size), 0);
  assertErrno("ERANGE", () => set("user." + "x".repeat(251), 1));
  assertErrno("E2BIG", () => set("user.a", 65537));
  for (const name of ["a", "user", "user.", "system.other", "system.posix_acl_access", ""]) {
    assertErrno("EOPNOTSUPP", () => set(name, 1));
    assertErrno("EOPNOTSUPP", () => filesystem.getExtendedAttribute(1, name));
    assertErrno("EOPNOTSUPP", () => filesystem.removeExtendedAttribute(1, name));
  }
  set("user.a", 65536);
  filesystem.removeExtendedAttribute(1, "user.a");
  const names = Array.from({ length: 256 }, (_, number) => `user.${number}`.padEnd(255, "x"));
  for (const name of names) set(name, 0);
  assertErrno("ENOSPC", () => set("user.b", 0));
  filesystem.removeExtendedAttribute(1, names[7]!);
  set("user.b", 0);
});
