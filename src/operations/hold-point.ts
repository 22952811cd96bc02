/** hold: a person's word that a point must not expire, and the taking back of it. */
import { audited } from "../core/audit/audited.ts";
import { findService } from "../core/declaration/find-service.ts";
import { selectPoint } from "../core/points/select-point.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

/** @throws RefloatError point.unknown, point.ambiguous */
const pointOf = async (bench: Workbench, service: string, prefix: string): Promise<RecoveryPoint> => {
  const { name } = findService(await bench.declaration(), service);
  const { points } = await bench.vault();
  // A damaged point can be held as well: what is left of it may be all there is.
  const whole = (await points.list(name)).map((point) => ({ ...point, missing: [] }));
  return selectPoint(whole, { kind: "id", text: prefix, prefix }, { service: name }).point;
};

export const holdPoint = async (
  bench: Workbench,
  { service, point, reason, by }: { service: string; point: string; reason: string; by: string },
): Promise<RecoveryPoint> => {
  const found = await pointOf(bench, service, point);
  const { holds } = await bench.vault();
  const act = { action: "hold", service, detail: { point: found.id, reason, for: by } } as const;
  return audited(
    bench.audit,
    act,
    async () => {
      await holds.hold(found, reason, by);
      return found;
    },
    () => ({ detail: {} }),
  );
};

/** @throws RefloatError point.unknown also when it is not held */
export const releasePoint = async (
  bench: Workbench,
  { service, point }: { service: string; point: string },
): Promise<RecoveryPoint> => {
  const found = await pointOf(bench, service, point);
  const { holds } = await bench.vault();
  const act = { action: "release", service, detail: { point: found.id } } as const;
  const released = await audited(
    bench.audit,
    act,
    () => holds.release(found.id),
    (holdsGone) => ({ detail: { holds: holdsGone } }),
  );
  if (released > 0) return found;
  throw new RefloatError("point.unknown", `point ${found.id.slice(0, 8)} is not held`, {
    state: "nothing was changed",
    nextCommand: `refloat points ${service}`,
  });
};
