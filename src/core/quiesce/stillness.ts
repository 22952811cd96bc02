/** What a service that stands still is to those who read it meanwhile, whatever holds it. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { PointManifest } from "../../model/manifest.ts";
import type { ComponentAccess } from "../components/component-access.ts";

export type FreezeEvent =
  | { readonly type: "frozen" }
  | { readonly type: "thawed"; readonly heldMs: number }
  | { readonly type: "warning"; readonly message: string; readonly hint: string; readonly nextCommand: string };

/** What a point says of it. `none`: the service declares nothing of the kind. */
export type Stillness =
  | { readonly kind: "none" }
  | { readonly kind: "quiesced"; readonly frozen: NonNullable<PointManifest["consistency"]["frozen"]> }
  | { readonly kind: "missed"; readonly why: string };

export type StandStill = {
  readonly isFrozen: boolean;
  /** Lets the service go on, and tells whether it stood still until now. Idempotent; never rejects. */
  readonly end: () => Promise<Stillness>;
  /** Why the service may still be frozen, when `end` has been waited for; null when it is not. */
  readonly stuck: () => string | null;
};

export type StandStillOptions = {
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly signal: AbortSignal;
  readonly tell: (event: FreezeEvent) => void;
  /** What it is to stand still for. */
  readonly held: "point" | "mark";
};

/** @param held what it was to stand still for */
export const missedWarning = (service: string, why: string, held: "point" | "mark"): FreezeEvent => ({
  type: "warning",
  ...(held === "point"
    ? { message: `the point is not quiesced: ${why}`, hint: "it was captured while the service went on" }
    : {
        message: `the service was not held for the mark: ${why}`,
        hint: "its markers were placed while the service went on",
      }),
  nextCommand: `refloat validate --live ${service}`,
});
