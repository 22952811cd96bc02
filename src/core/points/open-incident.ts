/** What an open incident says of points: which are in doubt, and what "last" means meanwhile. Pure. */
import type { Incident } from "../../model/incident.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { endedBy } from "./point-span.ts";

/** Of several that two machines have opened, the one that began first: what it doubts includes what the others do. */
export const openIncident = (incidents: readonly Incident[]): Incident | null =>
  incidents
    .filter(({ closedAt }) => closedAt === null)
    .toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since))
    .at(0) ?? null;

/** The earlier one of two moments; null where neither is known. */
export const earlier = (one: string | null, other: string | null): string | null =>
  one === null || other === null ? (one ?? other) : Date.parse(one) <= Date.parse(other) ? one : other;

/** Some of it was read after the incident began. @param since ISO; null while none is open */
export const isSuspect = (point: RecoveryPoint, since: string | null, scope?: readonly string[]): boolean =>
  since !== null && !endedBy(point, since, scope);
