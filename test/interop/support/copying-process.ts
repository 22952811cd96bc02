/**
 * A process that copies one vault to another and kills itself before the n-th file of its main thread (locks, indexes, snapshots) gets its
 * name, told by `KILL_AT=3`. Arguments: source, target.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { copyVault } from "../../../src/operations/vault-copy.ts";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";
import { copyTo, createCopyBench } from "./copy-bench.ts";
import { password } from "./restic.ts";

const { renameSync } = fs;
let named = 0;
fs.renameSync = (...paths) => {
  named += 1;
  if (named === Number(process.env["KILL_AT"])) process.kill(process.pid, "SIGKILL");
  renameSync(...paths);
};
syncBuiltinESMExports();

const [from = "", to = ""] = process.argv.slice(2);
const never = new AbortController().signal;

const source = await openRepository(from, password, { clock: systemClock });
const { bench, close } = createCopyBench(source);
await copyVault(
  bench,
  copyTo(to),
  never,
  () => undefined,
  () => undefined,
);
await close();
await source.close();
