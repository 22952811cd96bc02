/** points: the recovery points of a service, newest first. */
import { findService } from "../core/declaration/find-service.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { RecoveryPoint } from "../model/manifest.ts";

export type ServicePoints = { readonly service: ServiceDeclaration; readonly points: readonly RecoveryPoint[] };

export const listPoints = async (bench: Workbench, name: string): Promise<ServicePoints> => {
  const service = findService(await bench.declaration(), name);
  const { points } = await bench.vault();
  return { service, points: await points.list(service.name) };
};
