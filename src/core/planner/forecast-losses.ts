/** What a recovery loses and keeps, per component: from the point to the last known write, or to now when that is not known. */
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { LossForecast, PlanForecast } from "../../model/plan.ts";
import { keepsLedger } from "./cutover-steps.ts";
import type { RecoveryInput } from "./planner-input.ts";
import { sideOf } from "../invariants/invariant-sides.ts";
import type { Scope } from "./resolve-scope.ts";

const savedWords = {
  rows: "saved to CSV first",
  files: "listed first",
  counts: "counted, and the old side is kept",
} as const;

const lossSince = (input: RecoveryInput, point: RecoveryPoint, component: string): LossForecast | null => {
  const captured = point.manifest.components[component];
  const live = input.components[component];
  // A release is code: going back to an older one loses no one's work.
  if (captured === undefined || live?.capabilities.hasRuntime === true) return null;
  const replay = input.replays?.[component];
  const since = replay?.at ?? captured.facts.position?.takenAt ?? captured.window.beginAt;
  const lastWriteAt = live?.loss?.lastWriteAt ?? null;
  const lostMs = Math.max(0, Date.parse(lastWriteAt ?? input.now) - Date.parse(since));
  const untouched = lastWriteAt !== null && lostMs === 0;
  const saved = keepsLedger(live) && captured.facts.position !== undefined;
  return {
    component,
    lostMs,
    ...(lastWriteAt === null || untouched ? {} : { lastWriteAt }),
    ...(untouched
      ? { about: "nothing" }
      : live?.loss == null || replay !== undefined
        ? {}
        : { about: live.loss.about }),
    ...(live?.present === false ? { saved: "nothing of it is left to save" } : {}),
    ...(saved && !untouched ? { saved: savedWords[live?.capabilities.exportsWrites ?? "counts"] } : {}),
  };
};

export const forecastLosses = (input: RecoveryInput, scope: Scope): LossForecast[] =>
  scope.recovered.map((component) => lossSince(input, input.point, component)).filter((loss) => loss !== null);

/** The loss of a point is that of the component that loses most. Offered only where it is less than what the chosen point loses. */
export const forecastCloser = (input: RecoveryInput, scope: Scope): PlanForecast["closer"] => {
  const { closer } = input;
  if (closer === null) return null;
  const lossOf = (point: RecoveryPoint): number =>
    Math.max(0, ...scope.recovered.map((component) => lossSince(input, point, component)?.lostMs ?? 0));
  const { point, why } = closer;
  const lostMs = lossOf(point);
  if (lostMs >= lossOf(input.point)) return null;
  return { point: point.id, consistentAt: point.manifest.consistentAt, lostMs, why };
};

/** What of a kept component is left without its referrer when the referring one goes back in time. */
const orphansOf = (
  input: RecoveryInput,
  scope: Scope,
  losses: readonly LossForecast[],
  kept: string,
): readonly string[] =>
  Object.entries(input.service.invariants)
    .filter(([, { every, in: within }]) => sideOf(within) === kept && scope.recovered.includes(sideOf(every)))
    .flatMap(([name, { every }]) => {
      const told = input.orphans?.[name];
      if (told === null) return [];
      if (told !== undefined) return [`${told} become orphans`];
      const loses = losses.some(({ component, lostMs }) => component === sideOf(every) && lostMs > 0);
      return loses ? [`what lost rows of ${sideOf(every)} name becomes orphaned`] : [];
    });

/** `app 2.5.0`, `uploads (312 invoices become orphans)`, in order of recovery, applications first: they are what users see. */
export const forecastKeeps = (input: RecoveryInput, scope: Scope, losses: readonly LossForecast[]): string[] => {
  const runs = (name: string): boolean => input.components[name]?.capabilities.hasRuntime === true;
  return [...scope.kept.filter(runs), ...scope.kept.filter((name) => !runs(name))].map((name) => {
    const label = input.components[name]?.release?.label;
    const named = label === undefined ? name : `${name} ${label}`;
    const orphans = orphansOf(input, scope, losses, name);
    return orphans.length === 0 ? named : `${named} (${orphans.join("; ")})`;
  });
};
