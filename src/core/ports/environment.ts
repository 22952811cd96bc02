/** What the pure and the effectful parts are given instead of reaching for globals. */
import type { Progress } from "../../model/run.ts";

export type Clock = {
  /** Wall time, for evidence and for people. */
  readonly now: () => Date;
  /** Monotonic milliseconds within this process, for durations. */
  readonly monotonicMs: () => number;
  /** @throws the signal's reason when aborted */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

export type Log = {
  readonly debug: (message: string, fields?: Record<string, unknown>) => void;
  readonly info: (message: string, fields?: Record<string, unknown>) => void;
  readonly warn: (message: string, fields?: Record<string, unknown>) => void;
};

/** A value that cannot be printed by accident: JSON, string interpolation and inspection all show `[secret]`. */
export type Secret = { readonly reveal: () => string };

/** A string with its references replaced. `secret` is true when any part came from a secret. */
export type BoundText = { readonly value: string; readonly secret: boolean };

/** Replaces `${db.url}`, `${self.port}`, `${file:...}` in a string as the file has it. @throws RefloatError secret.unavailable */
export type Bind = (text: string) => Promise<BoundText>;

export type ReportProgress = (progress: Progress) => void;
