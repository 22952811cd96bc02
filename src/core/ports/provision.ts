/** What a driver that provisions brings: makes what must be there before anything is restored, and removes only what its run has made. */
import type { z } from "zod";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { DriverContext, InstanceTarget, OutputDescription, Outputs, PreflightReport } from "./driver.ts";
import type { SnapshotReader } from "./vault-snapshots.ts";

/** Whose doing it is that something is there. */
export type ProvisionOwner = Pick<InstanceTarget, "run" | "runUid">;

/** `owner`: the run that made it, or began to; null for what Refloat has no record of having made. */
export type ProvisionSight =
  | { readonly presence: "absent" }
  | { readonly presence: "partial" | "done"; readonly owner: ProvisionOwner | null; readonly found: string };

/** What the point that is recovered has of a component. */
export type CapturedPart = {
  readonly captured: CapturedComponent;
  readonly source: () => Promise<SnapshotReader>;
};

/** `component` of the context is the name of the entry. */
export type ProvisionContext<Options = unknown> = DriverContext<Options> & {
  /** Null where the point has nothing of the component. Left out where no point is at hand, as for an undo, which restores nothing. */
  readonly captured?: (component: string) => Promise<CapturedPart | null>;
};

/**
 * A way to bring about what a recovery needs before it can restore: a place, a server, a machine. There is one of it under its name,
 * whichever run asks: a run finds it there and uses it, or makes it and is then its owner.
 */
export type ProvisionDriver<Options = unknown> = {
  readonly type: string;
  readonly summary: string;
  /** Strict zod object; becomes part of the published JSON Schema. */
  readonly options: z.ZodType<Options>;
  /** Of an entry as it is declared; pure, and lenient with what is not right yet. Null: only the made thing knows them. */
  readonly outputs: (options: unknown) => Readonly<Record<string, OutputDescription>> | null;
  readonly preflight: (context: ProvisionContext<Options>) => Promise<PreflightReport>;
  /** What `apply` would do now, for the plan: one line, and more where there is more to read. Changes nothing. */
  readonly preview: (context: ProvisionContext<Options>) => Promise<{
    readonly what: string;
    readonly detail: readonly string[];
    /** Differences of fingerprints that there are none of afterwards, by their subjects. */
    readonly settles?: readonly string[];
  }>;
  /** @throws RefloatError instance.exists when something else stands where it would be */
  readonly inspect: (context: ProvisionContext<Options>) => Promise<ProvisionSight>;
  /**
   * Makes it, and marks it as the owner's before its first effect. Called only when `inspect` said absent. Resolves when it is there for
   * others to use.
   */
  readonly apply: (context: ProvisionContext<Options>, owner: ProvisionOwner) => Promise<{ readonly summary: string }>;
  /**
   * Of what cannot be made anew before it was brought to an end: finishes what the owner's killed `apply` has begun, in place of removing
   * it. Called only when `inspect` said partial.
   */
  readonly finish?: (context: ProvisionContext<Options>, owner: ProvisionOwner) => Promise<void>;
  /** Of what `inspect` calls done. */
  readonly read: (context: ProvisionContext<Options>) => Promise<Outputs>;
  /** Removes all of it. Idempotent. @throws RefloatError instance.exists for what is not the owner's */
  readonly destroy: (context: ProvisionContext<Options>, owner: ProvisionOwner) => Promise<void>;
};
