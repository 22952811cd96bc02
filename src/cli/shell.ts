/**
 * What the command line is given instead of a process: streams, environment, signals and the way to a workbench. The composition
 * root fills it from `process`; tests fill it from memory.
 */
import type { Readable, Writable } from "node:stream";
import type { Approver, Attendant, Workbench } from "../core/ports/workbench.ts";

export type InterruptSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export const interruptSignals: readonly InterruptSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Bytes in a second; what is absent is left to the file. */
export type RateLimits = { readonly upload?: number; readonly download?: number };

/** What the global options and the environment say about the installation to work on. */
export type WorkbenchSettings = {
  /** May not exist: `runs` works without it, and what needs it says that it is missing. */
  readonly configFile: string;
  /** The vault to work from without a file; null for what the file names. */
  readonly vault: {
    readonly url: string;
    readonly password: () => Promise<string>;
    /** Where the password comes from, after "the password": `in /root/key`. */
    readonly passwordFrom: string;
  } | null;
  readonly stateDirectory: string;
  /** A file's path, `-` for standard error, or null for no log. */
  readonly log: string | null;
  readonly verbose: boolean;
  readonly limits: RateLimits;
  /** Keep copies of a remote vault's indexes and trees. */
  readonly cache: boolean;
  /** Read the vault as it was then, and write nothing to it; null for the vault as it is. */
  readonly vaultAsOf: Date | null;
  /** Asks the person at this terminal; answers null where there is none, and a run that needs one then waits. */
  readonly approver: Approver;
  readonly attendant: Attendant;
};

export type OpenWorkbench = {
  readonly bench: Workbench;
  /** Closes what was opened: the vault, the journal and its thread. Called exactly once. */
  readonly close: () => Promise<void>;
};

export type TerminalWritable = Writable & { readonly columns?: number; readonly rows?: number };

export type Shell = {
  /** Must be cheap: vault, journal and file are opened by the workbench when they are first asked for. */
  readonly createWorkbench: (settings: WorkbenchSettings) => Promise<OpenWorkbench>;
  readonly stdin: Readable;
  readonly stdout: TerminalWritable;
  readonly stderr: TerminalWritable;
  readonly isTerminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly currentDirectory: string;
  /** Of the package: `0.1.0`. */
  readonly version: string;
  readonly userName: string;
  /** What a person types to start this program: `refloat`, or `npx refloat`. */
  readonly program: string;
  /** @returns a function that stops listening */
  readonly onSignal: (signal: InterruptSignal, listener: () => void) => () => void;
  /** Called when the process ends in whatever way but by a signal that cannot be caught; must not wait for anything. @returns a function that stops listening */
  readonly onExit: (listener: () => void) => () => void;
  /** Ends the process at once, without any clean-up: the second Ctrl-C. */
  readonly exitNow: (code: number) => void;
};
