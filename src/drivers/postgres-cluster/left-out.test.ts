/** Words of servers of several languages about what a base backup leaves out. */
import { expect, test } from "vitest";
import { RefloatError } from "../../model/refloat-error.ts";
import { judgeLeftOut } from "./left-out.ts";

const refusal = (warning: string, stored: readonly string[] = []): string | null => {
  try {
    judgeLeftOut([warning], new Set(stored));
    return null;
  } catch (error) {
    return error instanceof RefloatError ? error.message.replace(/ is a link.*$/, "") : "another error";
  }
};

test("data that is left out is refused, whatever language the server speaks", () => {
  for (const [warning, path] of [
    ['skipping special file "./base/16384"', "base/16384 of the data folder"],
    ["überspringe besondere Datei »./base/5/16384«", "base/5/16384 of the data folder"],
    ["überspringe besondere Datei „./base/5/16384“", "base/5/16384 of the data folder"],
    ["ignore le fichier spécial « ./pg_xact/0000 »", "pg_xact/0000 of the data folder"],
    ['skipping special file "/mnt/fast/PG_15_202209061/5/16390"', "/mnt/fast/PG_15_202209061/5/16390"],
  ] as const)
    expect([warning, refusal(warning)]).toEqual([warning, path]);
});

test("what came all the same, what begins empty and what names nothing is no loss", () => {
  expect(refusal('checksum verification failed in file "./base/5/1", block 3', ["base/5/1"])).toBeNull();
  expect(refusal('skipping special file "./pg_replslot/x"')).toBeNull();
  expect(refusal("aborting backup due to backend exiting")).toBeNull();
  expect(judgeLeftOut(['skipping special file "./log"', 'skipping special file "./a b"'], new Set())).toEqual([
    "links and special files of the data folder are not in the point, since the server does not send them: log, a b",
  ]);
});
