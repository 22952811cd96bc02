/** points: the recovery points of a service, or of each, newest first. */
import { findService } from "../core/declaration/find-service.ts";
import { type ReachableRange, reachableRanges } from "../core/logs/reachable-ranges.ts";
import { composePoints } from "../core/points/compose-points.ts";
import { openIncident } from "../core/points/open-incident.ts";
import { rememberSeen } from "../core/points/seen-points.ts";
import type { VaultNotes } from "../core/ports/vault-memory.ts";
import type { PointHold } from "../core/ports/vault-points.ts";
import type { OpenVault, Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { Incident } from "../model/incident.ts";
import type { LogSpan } from "../model/log-span.ts";
import type { Mark } from "../model/mark.ts";
import type { RecoveryPoint } from "../model/manifest.ts";

export type ServicePoints = {
  readonly service: ServiceDeclaration;
  readonly points: readonly RecoveryPoint[];
  /** By id of the point: all that it needs was read at this instant or later, and was sound. */
  readonly verified: VaultNotes["verified"];
  /** A person's word that a point must not expire. */
  readonly holds: readonly PointHold[];
  /** Newest moment first. */
  readonly marks: readonly Mark[];
  /** The one that is open; null while none is. */
  readonly incident: Incident | null;
  /** What the vault has of logs of its components, oldest first. */
  readonly logs: readonly LogSpan[];
  /** Between which moments any second can be reached: from the last point before it the log leads there. */
  readonly reachable: readonly ReachableRange[];
};

export const listPoints = async (bench: Workbench, name: string): Promise<ServicePoints> => {
  const service = findService(await bench.declaration(), name);
  const { points, ...beside } = await bench.vault();
  const found = await points.list(service.name);
  const { verified } = await rememberSeen(bench, found);
  return pointsOf(bench, service, found, { verified, ...(await knownBeside(beside, service.name)) });
};

/** @param service all when left out */
const knownBeside = async ({ holds, marks, incidents, logs }: Omit<OpenVault, "points">, service?: string) => ({
  logs: await logs.spans(service),
  holds: await holds.list(),
  marks: await marks.list(service),
  incidents: await incidents.list(service),
});

/** In the order of the declaration. The vault is read once for all. */
export const listAllPoints = async (bench: Workbench): Promise<readonly ServicePoints[]> => {
  const { services } = await bench.declaration();
  const { points, ...beside } = await bench.vault();
  const found = await points.list();
  const { verified } = await rememberSeen(bench, found);
  const known = { verified, ...(await knownBeside(beside)) };
  return Object.values(services).map((service) => pointsOf(bench, service, found, known));
};

const pointsOf = (
  { registry }: Pick<Workbench, "registry">,
  service: ServiceDeclaration,
  points: readonly RecoveryPoint[],
  {
    verified,
    holds,
    marks,
    incidents,
    logs,
  }: Pick<ServicePoints, "verified"> & Awaited<ReturnType<typeof knownBeside>>,
): ServicePoints => {
  const own = composePoints(points.filter(({ manifest }) => manifest.service === service.name));
  const spans = logs.filter((span) => span.service === service.name);
  return {
    service,
    points: own,
    verified,
    holds: holds.filter((hold) => hold.service === service.name),
    marks: marks.filter((mark) => mark.service === service.name),
    incident: openIncident(incidents.filter((incident) => incident.service === service.name)),
    logs: spans,
    reachable: reachableRanges({ registry }, own, spans),
  };
};
