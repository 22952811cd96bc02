/** The program: fills the shell from the process and runs one command line. Composition root, with create-workbench.ts. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { z } from "zod";
import { runCommandLine } from "./cli/run-command-line.ts";
import type { InterruptSignal, Shell } from "./cli/shell.ts";
import { createWorkbench } from "./create-workbench.ts";
import { programAsTyped } from "./platform/program-as-typed.ts";
import { packageFile } from "./platform/program-files.ts";

const packageSchema = z.object({ version: z.string() });

const version = packageSchema.parse(JSON.parse(readFileSync(packageFile("package.json"), "utf8"))).version;

/** A user id without an entry in passwd is no reason to stop. */
const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
};

const shell: Shell = {
  createWorkbench: async (settings) => createWorkbench({ ...settings, version, environment: process.env }),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isTerminal: { stdin: process.stdin.isTTY, stdout: process.stdout.isTTY, stderr: process.stderr.isTTY },
  environment: process.env,
  currentDirectory: process.cwd(),
  version,
  userName: userName(),
  program: programAsTyped(process.env),
  onSignal: (signal: InterruptSignal, listener) => {
    process.on(signal, listener);
    return () => process.off(signal, listener);
  },
  onExit: (listener) => {
    process.on("exit", listener);
    return () => process.off("exit", listener);
  },
  exitNow: (code) => process.exit(code),
};

const code = await runCommandLine(process.argv.slice(2), shell);
// All is written and closed; to take the heap down piece by piece before the end takes half a second after a recovery.
process.exit(code);
