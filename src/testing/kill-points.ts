/**
 * Kills its own process by SIGKILL before the n-th change that it makes to the world: imported first by a program under test,
 * told by `KILL_AT=7`. So every instant between two effects is met once, and no timing decides.
 */
import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const killAt = Number(process.env["KILL_AT"] ?? "0");
let met = 0;

const kill = process.kill.bind(process);

const meet = (): void => {
  met += 1;
  if (met === killAt) kill(process.pid, "SIGKILL");
};

type Act = (...values: never[]) => unknown;

/** Acts that change something; `open` counts too, since it creates files. */
const acts = [
  "rename",
  "symlink",
  "rm",
  "rmdir",
  "unlink",
  "mkdir",
  "writeFile",
  "open",
  "cp",
  "link",
  "utimes",
] as const;

const wrap = (act: Act): Act =>
  function wrapped(this: unknown, ...values: never[]): unknown {
    meet();
    return act.apply(this, values);
  };

const promises = fs.promises as unknown as Record<string, Act>;
for (const name of acts) {
  const act = promises[name];
  if (act !== undefined) promises[name] = wrap(act);
}

const { spawn } = childProcess;
const countedSpawn = (...values: Parameters<typeof spawn>) => {
  meet();
  return spawn(...values);
};
(childProcess as { spawn: unknown }).spawn = countedSpawn;

process.kill = (...values) => {
  meet();
  return kill(...values);
};

syncBuiltinESMExports();
