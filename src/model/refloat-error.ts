/**
 * The one error that crosses folders. Expected outcomes (a check that failed, a point with a broken link) are data, not errors.
 */
import type { Diagnostic } from "./diagnostic.ts";
import { type ErrorCode, type ErrorEntry, errorCatalogue } from "./error-catalogue.ts";
import type { JsonObject } from "./json.ts";

export type RefloatErrorOptions = {
  readonly cause?: unknown;
  /** Facts for the log and `--json`: never a secret. */
  readonly context?: JsonObject;
  /** What was left behind: `no point was made; the last is 3c71e0aa`. */
  readonly state?: string;
  /** Why it may have happened and what would mend it. */
  readonly hint?: string;
  /** A command that can be run as it stands. */
  readonly nextCommand?: string;
  /** The places in a person's file, for `config.invalid`. */
  readonly diagnostics?: readonly Diagnostic[];
};

export class RefloatError extends Error {
  override readonly name = "RefloatError";
  readonly code: ErrorCode;
  readonly context: JsonObject;
  readonly state: string | undefined;
  readonly hint: string | undefined;
  readonly nextCommand: string | undefined;
  readonly diagnostics: readonly Diagnostic[];

  /** @param message one sentence in lower case without a full stop: `db does not answer at 127.0.0.1:5432` */
  constructor(code: ErrorCode, message: string, options: RefloatErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = options.context ?? {};
    this.state = options.state;
    this.hint = options.hint;
    this.nextCommand = options.nextCommand;
    this.diagnostics = options.diagnostics ?? [];
  }

  get entry(): ErrorEntry {
    return errorCatalogue[this.code];
  }

  /** May the same call succeed when it is simply made again? */
  get retryable(): boolean {
    return this.entry.kind === "retryable";
  }
}

/** Whatever was thrown, as a RefloatError: one of ours as it is, anything else as a bug with its cause. */
export const toRefloatError = (thrown: unknown): RefloatError =>
  thrown instanceof RefloatError
    ? thrown
    : new RefloatError("bug", thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
