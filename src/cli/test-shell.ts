/** A shell in memory, for tests: what was written where, signals on demand, a person who types. */
import { PassThrough, Writable } from "node:stream";
import { forgettingAuditLog } from "../core/audit/forgetting-audit-log.ts";
import { silentNotifier } from "../core/notify/silent-notifier.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { InterruptSignal, Shell, WorkbenchSettings } from "./shell.ts";

export type TestShell = Shell & {
  readonly written: { readonly stdout: () => string; readonly stderr: () => string };
  readonly lastJson: () => unknown;
  readonly type: (keys: string) => void;
  readonly send: (signal: InterruptSignal) => void;
  /** What happens when the process ends. */
  readonly end: () => void;
  readonly settings: () => WorkbenchSettings | null;
  readonly closed: () => number;
  readonly exits: readonly number[];
};

export type TestShellOptions = {
  readonly bench?: Partial<Workbench>;
  readonly terminal?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly currentDirectory?: string;
  /** Fails each write to standard output. */
  readonly stdoutError?: NodeJS.ErrnoException;
};

const collector = (error?: NodeJS.ErrnoException): { readonly stream: Writable; readonly text: () => string } => {
  let text = "";
  const stream = new Writable({
    autoDestroy: false,
    write(chunk: Buffer, _encoding, callback) {
      if (error !== undefined && chunk.length > 0) {
        callback(error);
        return;
      }
      text += chunk.toString();
      callback();
    },
  });
  return { stream, text: () => text };
};

/** A part of the workbench that a test did not say how to answer is not asked, or the test is wrong. */
const strictBench = (parts: Partial<Workbench>): Workbench =>
  new Proxy(parts, {
    get: (target, key) => {
      if (key in target) return Reflect.get(target, key) as unknown;
      // Awaiting the bench asks for it.
      if (key === "then") return undefined;
      throw new Error(`the test's workbench has no ${String(key)}`);
    },
  }) as Workbench;

/** No run was ever made here. */
export const emptyJournal = {
  journal: async () => ({ listRuns: async () => [] }) as never,
  leases: async () => ({ holder: async () => null }) as never,
} satisfies Partial<Workbench>;

export const createTestShell = (options: TestShellOptions = {}): TestShell => {
  const stdout = collector(options.stdoutError);
  const stderr = collector();
  const stdin = new PassThrough();
  const listeners = new Map<InterruptSignal, Set<() => void>>();
  const exits: number[] = [];
  const exitListeners = new Set<() => void>();
  const terminal = options.terminal ?? false;
  let settings: WorkbenchSettings | null = null;
  let closed = 0;
  return {
    createWorkbench: async (given) => {
      settings = given;
      return {
        bench: strictBench({
          host: {
            hostname: "testhost",
            toolVersion: "0.0.0",
            timeZone: "UTC",
            space: async () => [],
          },
          clock: {
            now: () => new Date("2026-11-22T16:12:00Z"),
            monotonicMs: () => 0,
            sleep: async () => undefined,
          },
          audit: forgettingAuditLog,
          notifier: silentNotifier,
          breakGlass: false,
          ...options.bench,
        }),
        close: async () => {
          closed += 1;
        },
      };
    },
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    isTerminal: { stdin: terminal, stdout: terminal, stderr: terminal },
    environment: options.environment ?? {},
    currentDirectory: options.currentDirectory ?? "/nowhere",
    version: "0.0.0",
    program: "refloat",
    userName: "ada",
    onSignal: (signal, listener) => {
      const set = listeners.get(signal) ?? new Set();
      listeners.set(signal, set.add(listener));
      return () => set.delete(listener);
    },
    onExit: (listener) => {
      exitListeners.add(listener);
      return () => exitListeners.delete(listener);
    },
    exitNow: (code) => exits.push(code),
    written: { stdout: stdout.text, stderr: stderr.text },
    lastJson: () => JSON.parse(stdout.text().trimEnd().split("\n").at(-1) ?? ""),
    type: (keys) => {
      stdin.write(keys);
    },
    send: (signal) => {
      for (const listener of listeners.get(signal) ?? []) listener();
    },
    settings: () => settings,
    end: () => {
      for (const listener of exitListeners) listener();
    },
    closed: () => closed,
    exits,
  };
};
