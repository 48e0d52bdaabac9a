/** Step with sqlite3: two processes write one database in WAL mode, whose index is shared memory in a mapped file. */
import { assertEquals } from "../deps.ts";
import type { Place } from "./place.ts";

/** All rows of both writers are there, and the database is whole, also after its log was written back. */
export async function writeDatabase(place: Place, transactions = 100): Promise<void> {
  const file = `${place.directory}/database.sqlite`;
  const query = async (sql: string) =>
    (await place.run(["sqlite3", "-batch", file, ".timeout 60000", sql])).stdout.trim();
  assertEquals(await query("PRAGMA journal_mode=WAL"), "wal");
  await query("CREATE TABLE line (id INTEGER PRIMARY KEY, writer TEXT, number INTEGER, text TEXT)");
  await query("CREATE INDEX by_writer ON line (writer, number)");
  const write = (writer: string) =>
    place.shell(
      `for n in $(seq ${transactions}); do
         echo "BEGIN IMMEDIATE; INSERT INTO line (writer, number, text) VALUES ('$1', $n, hex(randomblob(400))); COMMIT;"
       done | sqlite3 -batch -bail -cmd '.timeout 60000' "$2"`.replaceAll("$1", writer).replaceAll("$2", file),
    );
  await Promise.all([write("first"), write("second")]);
  const counts = `first|${transactions}|${transactions}\nsecond|${transactions}|${transactions}`;
  const count = "SELECT writer, count(*), max(number) FROM line GROUP BY writer ORDER BY writer";
  assertEquals(await query(count), counts);
  assertEquals(await query("PRAGMA integrity_check"), "ok");
  await query("DELETE FROM line WHERE number % 2 = 0; VACUUM");
  assertEquals((await query("PRAGMA wal_checkpoint(TRUNCATE)")).split("|")[0], "0");
  assertEquals(await query("PRAGMA integrity_check"), "ok");
  assertEquals(await query("SELECT count(*) FROM line"), String(Math.ceil(transactions / 2) * 2));
}
