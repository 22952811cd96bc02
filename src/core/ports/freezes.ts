/**
 * Holding a service still by its declared lines. Whoever freezes may be killed at any instant: a process of its own, which outlives it,
 * runs both lines and thaws when it is asked to, when the time is over, or when nobody is left who could ask.
 */
import type { QuiesceDeclaration } from "../../model/declaration.ts";
import type { PreflightReport } from "./driver.ts";
import type { Bind } from "./environment.ts";

/** A freeze that is going on, or whose thaw has failed or never came to run. Remembered on this machine until a thaw succeeds. */
export type Frozen = {
  readonly service: string;
  /** When `freeze` was begun, and when the time was over; ISO 8601. */
  readonly sinceAt: string;
  readonly untilAt: string;
  /** As it was declared then. */
  readonly quiesce: QuiesceDeclaration;
  /** A process watches over it and will thaw. */
  readonly isKept: boolean;
  /** Why the last thaw failed; null while none has. */
  readonly failure: { readonly at: string; readonly reason: string } | null;
};

/** `asked`: by who froze. `gone`: who froze has ended, or was killed. `lost`: the keeper itself was killed. `stopped`: it was told to end. */
export type ThawCause = "asked" | "deadline" | "freeze-failed" | "gone" | "lost" | "stopped";

export type FreezeEnd = {
  readonly because: ThawCause;
  /** From the begin of `freeze` to the end of `thaw`, ISO 8601; by a clock that is not set meanwhile, `heldMs`. */
  readonly fromAt: string;
  readonly toAt: string;
  readonly heldMs: number;
  /** Why the service may be frozen still: how `thaw` failed. Null when it was thawed. */
  readonly stuck: string | null;
};

export type HeldFreeze = {
  /** When the one before was left frozen, since when; it was thawed first. */
  readonly leftSince: string | null;
  /** Resolves when the service is thawed, or cannot be, whoever has brought that about. Never rejects. */
  readonly ended: Promise<FreezeEnd>;
  /** Asks for the thaw and waits for it. Idempotent. */
  readonly thaw: () => Promise<FreezeEnd>;
};

export type FreezeStart =
  | { readonly kind: "frozen"; readonly freeze: HeldFreeze }
  /** `freeze` failed or was not run; what it had done was thawed, or `end` says that it is stuck; null when nothing was run. */
  | { readonly kind: "failed"; readonly why: string; readonly end: FreezeEnd | null };

export type FreezeRequest = {
  readonly service: string;
  readonly quiesce: QuiesceDeclaration;
  /** Of a service that is held by its file system: by component the path that is read meanwhile. */
  readonly paths?: Readonly<Record<string, string>>;
  /** Of what stands outside of components. */
  readonly bind: Bind;
  readonly signal: AbortSignal;
};

export type Freezes = {
  /** Null when nothing is frozen, as far as this machine knows. */
  readonly left: (service: string) => Promise<Frozen | null>;
  /**
   * Runs `freeze`, after the thaw of what is left frozen.
   * @throws RefloatError run.in-progress while another capture holds the service; config.invalid, secret.unavailable; the signal's reason
   */
  readonly freeze: (request: FreezeRequest) => Promise<FreezeStart>;
  /** Runs `thaw` of what is left frozen. Null when nothing is, or when another process keeps it. */
  readonly thawLeft: (request: FreezeRequest) => Promise<FreezeEnd | null>;
  /** Could both lines be run? Runs neither. */
  readonly examine: (request: FreezeRequest) => Promise<PreflightReport>;
};
