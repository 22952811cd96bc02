/**
 * A real application for tests: a release folder with a small HTTP server that can be told by its environment to misbehave as real
 * ones do. It answers its release, and what it was bound to.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Variables: PORT; MODE is a list of `ignore-term`, `children`, `fail`, `silent`, `daemon`, `crash-later`. */
const server = `
const { createServer } = require("node:http");
const { spawn } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const modes = new Set((process.env.MODE ?? "").split(","));
const label = JSON.parse(readFileSync(join(__dirname, "package.json"), "utf8")).version;
if (modes.has("fail")) {
  console.error("cannot open " + process.env.DATABASE_URL);
  process.exit(3);
}
if (modes.has("ignore-term")) process.on("SIGTERM", () => console.log("no"));
if (modes.has("children")) {
  // A child that leaves the session and ignores SIGTERM, with a child of its own.
  const line = "trap '' TERM; sleep 600 & while :; do sleep 1; done";
  spawn("/bin/sh", ["-c", line], { detached: true, stdio: "ignore" }).unref();
}
if (modes.has("daemon")) {
  spawn(process.execPath, [__filename], { detached: true, stdio: "inherit", env: { ...process.env, MODE: "" } }).unref();
} else if (modes.has("silent")) {
  setInterval(() => {}, 1000);
} else {
  const answer = { release: label, pid: process.pid, database: process.env.DATABASE_URL ?? null };
  createServer((request, response) => response.end(JSON.stringify(answer))).listen(Number(process.env.PORT), "127.0.0.1", () =>
    console.log("release " + label + " listens on " + process.env.PORT),
  );
}
`;

const migrate = `
const { appendFileSync } = require("node:fs");
if (process.env.DATABASE_URL === "broken") {
  console.error("relation products does not exist in " + process.env.PASSWORD);
  process.exit(1);
}
appendFileSync(process.env.DATABASE_URL, "migrated\\n");
console.log("1 migration applied");
`;

/** Writes a release folder: `server.js`, `migrate.js`, `package.json` with the version. */
export const writeSampleRelease = async (folder: string, version: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "server.js"), server);
  await writeFile(join(folder, "migrate.js"), migrate);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "sample", version, type: "commonjs" }));
};
