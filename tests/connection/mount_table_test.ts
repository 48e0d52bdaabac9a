/** The kernel's mount table. */
import { assertEquals } from "../deps.ts";
import { parseMountTable } from "../../src/connection/mount_table.ts";

Deno.test("mountinfo: optional fields, octal escapes and options are read", () => {
  const text = [
    "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue",
    "40 35 0:52 / /tmp/a\\040b\\134c rw,nosuid - fuse.trellis my\\040source rw,user_id=1000,group_id=1000",
    "a line that is no mount",
    "",
  ].join("\n");
  assertEquals(parseMountTable(text), [
    { device: "98:0", mountpoint: "/mnt2", type: "ext3", source: "/dev/root", options: ["rw", "errors=continue"] },
    {
      device: "0:52",
      mountpoint: "/tmp/a b\\c",
      type: "fuse.trellis",
      source: "my source",
      options: ["rw", "user_id=1000", "group_id=1000"],
    },
  ]);
});
