/**
 * The command line inside the test's own process, on a real workbench that stays open: as the program, without its start, its key derivation
 * and its threads for each line.
 */
import { Writable } from "node:stream";
import { createTestShell } from "../../../src/cli/test-shell.ts";
import { runCommandLine } from "../../../src/cli/run-command-line.ts";
import type { OpenWorkbench, Shell } from "../../../src/cli/shell.ts";
import { createWorkbench } from "../../../src/create-workbench.ts";

export type EndedInside = {
  readonly exit: number;
  readonly bytes: Buffer;
  readonly stdout: string;
  readonly stderr: string;
  readonly lines: readonly Record<string, unknown>[];
};

export type RefloatInside = {
  readonly run: (args: readonly string[]) => Promise<EndedInside>;
  /** The same, and fails the test with all that was said unless it ends with 0. */
  readonly succeed: (args: readonly string[]) => Promise<EndedInside>;
  /** The next command opens it again. */
  readonly close: () => Promise<void>;
};

const collected = (): { readonly stream: Writable; readonly bytes: () => Buffer } => {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      parts.push(Buffer.from(chunk));
      callback();
    },
  });
  return { stream, bytes: () => Buffer.concat(parts) };
};

/** @param folder holds refloat.yaml; state is kept in its sub-folder `state` @param environment of OpenTelemetry */
export const refloatInside = (folder: string, environment: Readonly<Record<string, string>> = {}): RefloatInside => {
  let opened: OpenWorkbench | undefined;
  const run = async (args: readonly string[]): Promise<EndedInside> => {
    const [stdout, stderr] = [collected(), collected()];
    const shell: Shell = {
      ...createTestShell({ currentDirectory: folder }),
      stdout: stdout.stream,
      stderr: stderr.stream,
      environment: { REFLOAT_CONFIG: `${folder}/refloat.yaml`, REFLOAT_STATE: `${folder}/state` },
      createWorkbench: async (settings) => {
        opened ??= createWorkbench({ ...settings, version: "0.0.0", environment });
        return { bench: opened.bench, close: async () => undefined };
      },
    };
    const exit = await runCommandLine(args, shell);
    const text = stdout.bytes().toString("utf8");
    return {
      exit,
      bytes: stdout.bytes(),
      stdout: text.replace(/\n$/, ""),
      stderr: stderr.bytes().toString("utf8"),
      lines: text
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    };
  };
  return {
    run,
    succeed: async (args) => {
      const ended = await run(args);
      if (ended.exit !== 0) throw new Error(`refloat ${args.join(" ")} ended with ${ended.exit}\n${ended.stderr}`);
      return ended;
    },
    close: async () => {
      await opened?.close();
      opened = undefined;
    },
  };
};
