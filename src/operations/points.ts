/** points: the recovery points of a service, or of each, newest first. */
import { findService } from "../core/declaration/find-service.ts";
import { rememberSeen } from "../core/points/seen-points.ts";
import type { VaultNotes } from "../core/ports/vault-memory.ts";
import type { PointHold } from "../core/ports/vault-points.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { RecoveryPoint } from "../model/manifest.ts";

export type ServicePoints = {
  readonly service: ServiceDeclaration;
  readonly points: readonly RecoveryPoint[];
  /** By id of the point: all that it needs was read at this instant or later, and was sound. */
  readonly verified: VaultNotes["verified"];
  /** A person's word that a point must not expire. */
  readonly holds: readonly PointHold[];
};

export const listPoints = async (bench: Workbench, name: string): Promise<ServicePoints> => {
  const service = findService(await bench.declaration(), name);
  const { points, holds } = await bench.vault();
  const found = await points.list(service.name);
  return pointsOf(service, found, (await rememberSeen(bench, found)).verified, await holds.list());
};

/** In the order of the declaration. The vault is read once for all. */
export const listAllPoints = async (bench: Workbench): Promise<readonly ServicePoints[]> => {
  const { services } = await bench.declaration();
  const { points, holds } = await bench.vault();
  const found = await points.list();
  const { verified } = await rememberSeen(bench, found);
  const held = await holds.list();
  return Object.values(services).map((service) => pointsOf(service, found, verified, held));
};

const pointsOf = (
  service: ServiceDeclaration,
  points: readonly RecoveryPoint[],
  verified: ServicePoints["verified"],
  holds: readonly PointHold[],
): ServicePoints => ({
  service,
  points: points.filter(({ manifest }) => manifest.service === service.name),
  verified,
  holds: holds.filter((hold) => hold.service === service.name),
});
