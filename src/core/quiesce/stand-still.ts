/**
 * A service that stands still while it is captured: freeze before the first component, thaw as soon as nothing more has to stand still, and what
 * a point may say of it. A capture that was not held to its end makes a point all the same, which says why it is not quiesced.
 */
import type { QuiesceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { FreezeEnd, FreezeStart, HeldFreeze, ThawCause } from "../ports/freezes.ts";
import type { Workbench } from "../ports/workbench.ts";
import { formatDuration } from "../time/duration.ts";
import { frozenComponents } from "./frozen-components.ts";
import { holdByLock } from "./hold-by-lock.ts";
import { quiesceTimeMs } from "./quiesce-time.ts";
import {
  type FreezeEvent,
  type StandStill,
  type StandStillOptions,
  type Stillness,
  missedWarning,
} from "./stillness.ts";

const untouched: StandStill = { isFrozen: false, end: async () => ({ kind: "none" }), stuck: () => null };

/**
 * @throws RefloatError run.in-progress while another capture holds the service, secret.unavailable, config.invalid; the signal's reason. Then
 * nothing is frozen.
 */
export const standStill = async (
  bench: Pick<Workbench, "freezes" | "clock">,
  options: StandStillOptions,
): Promise<StandStill> => {
  const { service, tell } = options;
  const { name, quiesce } = service;
  if (quiesce === undefined) return thawForgotten(bench, options);
  const left = await bench.freezes.left(name);
  // Only as it was frozen can it be thawed.
  if (quiesce.lock !== undefined || (left !== null && left.quiesce.filesystem !== quiesce.filesystem)) {
    const forgotten = await thawForgotten(bench, options);
    // Nothing else is begun on a service that may be frozen still.
    if (forgotten.stuck() !== null) return forgotten;
  }
  if (quiesce.lock !== undefined) {
    return holdByLock(bench.clock, options, { lock: quiesce.lock, atMostMs: quiesceTimeMs(quiesce) });
  }
  const start = await freezeService(bench, options, quiesce);
  if (start.kind === "failed") return notFrozen(options, quiesce, start);
  tell({ type: "frozen" });
  if (start.freeze.leftSince !== null) tell(leftWarning(name, start.freeze.leftSince));
  return frozen(options, quiesce, start.freeze);
};

const freezeService = async (
  { freezes }: Pick<Workbench, "freezes">,
  { service, access, signal }: StandStillOptions,
  quiesce: QuiesceDeclaration,
): Promise<FreezeStart> => {
  const request = { service: service.name, quiesce, bind: access.bind(null), signal };
  if (quiesce.filesystem === undefined) return freezes.freeze(request);
  const there = await frozenComponents(service, access);
  return "why" in there
    ? { kind: "failed", why: there.why, end: await freezes.thawLeft(request) }
    : freezes.freeze({ ...request, paths: there.paths });
};

/** What an earlier declaration has frozen and never thawed. */
const thawForgotten = async (
  { freezes }: Pick<Workbench, "freezes">,
  { service: { name }, access, signal, tell }: StandStillOptions,
): Promise<StandStill> => {
  const left = await freezes.left(name);
  if (left === null || left.isKept) return untouched;
  const bind = access.bind(null);
  const end = await freezes.thawLeft({ service: name, quiesce: left.quiesce, bind, signal });
  const stuck = end?.stuck ?? null;
  tell(stuck === null ? leftWarning(name, left.sinceAt) : stuckWarning(name, stuck));
  return { ...untouched, stuck: () => stuck };
};

const notFrozen = (
  { service: { name }, tell, held }: StandStillOptions,
  quiesce: QuiesceDeclaration,
  { why, end }: FreezeStart & { readonly kind: "failed" },
): StandStill => {
  const missed = {
    kind: "missed",
    why: end?.because === "deadline" ? describeMiss("deadline", quiesce) : why,
  } as const;
  const stuck = end?.stuck ?? null;
  tell(missedWarning(name, missed.why, held));
  if (stuck !== null) tell(stuckWarning(name, stuck));
  return { isFrozen: false, end: async () => missed, stuck: () => stuck };
};

const frozen = (
  { service: { name }, tell, held }: StandStillOptions,
  quiesce: QuiesceDeclaration,
  freeze: HeldFreeze,
): StandStill => {
  let stuck: string | null = null;
  const ended = freeze.ended.then((end): Stillness => {
    ({ stuck } = end);
    tell(stuck === null ? { type: "thawed", heldMs: end.heldMs } : stuckWarning(name, stuck));
    const stillness = stillnessOf(end, quiesce);
    if (stillness.kind === "missed") tell(missedWarning(name, stillness.why, held));
    return stillness;
  });
  return {
    isFrozen: true,
    end: async () => {
      await freeze.thaw();
      return ended;
    },
    stuck: () => stuck,
  };
};

/** Only what was thawed because the capture asked for it stood still until then; whether that thaw failed takes nothing from the point. */
const stillnessOf = ({ because, fromAt, toAt, heldMs }: FreezeEnd, quiesce: QuiesceDeclaration): Stillness =>
  because === "asked"
    ? {
        kind: "quiesced",
        frozen: { fromAt, toAt, heldMs, by: quiesce.filesystem === undefined ? "lines" : "filesystem" },
      }
    : { kind: "missed", why: describeMiss(because, quiesce) };

const describeMiss = (because: ThawCause, quiesce: QuiesceDeclaration): string =>
  because === "deadline"
    ? `the ${formatDuration(quiesceTimeMs(quiesce))} of atMost were over before all was read`
    : "the process that kept the freeze was ended before all was read";

const leftWarning = (service: string, since: string): FreezeEvent => ({
  type: "warning",
  message: `${service} was left frozen at ${since}, and was thawed now`,
  hint: "look why that capture and its keeper were both ended",
  nextCommand: `refloat status`,
});

const byHand = "let the service write again by hand, by the thaw: line of refloat.yaml; the next capture thaws first";

const stuckWarning = (service: string, reason: string): FreezeEvent => ({
  type: "warning",
  message: `${service} MAY STILL BE FROZEN: ${reason}`,
  hint: byHand,
  nextCommand: `refloat capture ${service}`,
});

/** @param also what else failed, and what was done nevertheless */
export const frozenError = (
  service: string,
  reason: string,
  also: { readonly cause?: unknown; readonly state?: string } = {},
): RefloatError =>
  new RefloatError("service.frozen", `${service} may still be frozen: ${reason}`, {
    ...also,
    context: { service },
    hint: byHand,
    nextCommand: `refloat capture ${service}`,
  });
