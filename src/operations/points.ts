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

export const listPoints = async (bench: Workbench, name: string): Promise<ServicePoints> =>
  pointsOf(bench, findService(await bench.declaration(), name));

/** In the order of the declaration. */
export const listAllPoints = async (bench: Workbench): Promise<readonly ServicePoints[]> => {
  const all: ServicePoints[] = [];
  for (const service of Object.values((await bench.declaration()).services)) all.push(await pointsOf(bench, service));
  return all;
};

const pointsOf = async (bench: Workbench, service: ServiceDeclaration): Promise<ServicePoints> => {
  const { points, holds } = await bench.vault();
  const found = await points.list(service.name);
  const held = (await holds.list()).filter((hold) => hold.service === service.name);
  return { service, points: found, verified: (await rememberSeen(bench, found)).verified, holds: held };
};
