/** `npm run bench -- NAME [--json]`: runs bench/NAME.ts, best on an otherwise quiet machine. Parts of a bench stand in folders beside it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./setup.ts";

const folder = join(import.meta.dirname, "../bench");
const [name, ...args] = process.argv.slice(2);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length));

if (name === undefined || !names.includes(name)) {
  const mistake = name === undefined ? "which bench?" : `there is no bench "${name}"`;
  process.stderr.write(`error usage: ${mistake}\nnext: npm run bench -- ${names.join(" | ")}\n`);
  process.exitCode = 2;
} else {
  setUp("bench");
  const child = spawn(process.execPath, [join(folder, `${name}.ts`), ...args], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  process.exitCode = typeof code === "number" ? code : 1;
}
