/**
 * From the words of `--at` to all that a recovery restores: a point, and how far logs lead on from it. Members of a point are read one after the other;
 * where the log shows that one was read later than the moment that is asked for, an older point is the one to go on from.
 */
import { shortId } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Workbench } from "../ports/workbench.ts";
import { formatList } from "../text/quantity.ts";
import { type ChosenPoint, type PointRequest, choosePoint, findTarget } from "./choose-point.ts";
import { type PassedPoint, readBy } from "./point-span.ts";
import { type ResolvedReplays, resolveReplays } from "./resolve-replays.ts";

export type ChosenMoment = ChosenPoint &
  Omit<ResolvedReplays, "tooLate"> & {
    /** Newest first. */
    readonly passed: readonly PassedPoint[];
  };

/** @throws RefloatError time.unclear, mark.unknown, run.unknown, point.*, log.*, vault.* */
export const chooseMoment = async (bench: Workbench, request: PointRequest, now: Date): Promise<ChosenMoment> => {
  const { logs } = await bench.vault();
  const target = request.target ?? (await findTarget(bench, request));
  const passed: PassedPoint[] = [];
  for (;;) {
    const passedOver = new Set<string>(passed.map(({ point }) => point.id));
    const chosen = await choosePoint(bench, { ...request, target, passedOver }, now).catch((error: unknown) => {
      throw tooLateFor(error, passed);
    });
    const { point } = chosen;
    const scope = request.only ?? Object.keys(point.manifest.components);
    const resolved = await resolveReplays({ logs, registry: bench.registry }, { ...chosen, scope });
    const { tooLate, ...rest } = resolved;
    if (tooLate.length === 0) return { ...chosen, ...rest, passed };
    passed.push({ point, tooLate });
  }
};

/** There is no point left that is early enough. */
const tooLateFor = (error: unknown, passed: readonly PassedPoint[]): unknown => {
  const [nearest] = passed;
  if (nearest === undefined || !(error instanceof RefloatError && error.code === "point.unknown")) return error;
  const { point, tooLate } = nearest;
  const names = formatList(tooLate);
  const { service, consistentAt } = point.manifest;
  return new RefloatError(
    "point.unknown",
    `${names} cannot go back so far: the point ${shortId(point.id)} (${consistentAt}) has it as of ${readBy(nearest)}, and there is no older one`,
    {
      cause: error,
      state: "nothing was changed",
      hint: `moments after ${readBy(nearest)} can be reached; the point as it is, by its id`,
      nextCommand: `refloat plan ${service} --at ${shortId(point.id)}`,
    },
  );
};
