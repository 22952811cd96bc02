/**
 * A process that stores an escrow bundle and kills itself before the n-th file of its main thread (locks, indexes, snapshots) gets its name, told
 * by `KILL_AT=3`. Arguments: vault, password.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { createEscrowBundles } from "../../../src/vault/points/escrow-bundles.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";

const { renameSync } = fs;
let named = 0;
fs.renameSync = (...paths) => {
  named += 1;
  if (named === Number(process.env["KILL_AT"])) process.kill(process.pid, "SIGKILL");
  renameSync(...paths);
};
syncBuiltinESMExports();

const [vault = "", password = ""] = process.argv.slice(2);
const repository = await openRepository(vault, password, { clock: systemClock });
await createEscrowBundles(repository).store(Buffer.from("sealed"), { secrets: 1, openedBy: "password" });
await repository.close();
