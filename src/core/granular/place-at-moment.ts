/** `SERVICE:component[:path]` as of a moment: which point has it, and how far the component's log leads on from there. */
import { findService } from "../declaration/find-service.ts";
import { shortId } from "../../model/identifiers.ts";
import type { PlannedReplay } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { chooseMoment } from "../points/choose-moment.ts";
import type { Workbench } from "../ports/workbench.ts";
import { formatPlace, parsePlace, parseServicePlace } from "./parse-place.ts";

export type PlaceAtMoment = {
  /** As `openPlace` takes it. */
  readonly place: string;
  /** Null where the point itself is what is meant, or the component has no log. */
  readonly replay: PlannedReplay | null;
  readonly warnings: readonly string[];
};

const isPoint = (text: string): boolean => {
  try {
    return parsePlace(text).component !== null;
  } catch {
    return false;
  }
};

/** @throws RefloatError usage, service.unknown, time.unclear, mark.unknown, point.*, log.gap, vault.* */
export const placeAtMoment = async (bench: Workbench, typed: string, at: string): Promise<PlaceAtMoment> => {
  const { service: name, component, path } = parseServicePlace(typed);
  const declaration = await bench.declaration();
  if (isPoint(typed) && !Object.hasOwn(declaration.services, name))
    throw new RefloatError("usage", `${name} is a point, which is of its own moment`, {
      hint: "with --at: SERVICE:component or SERVICE:component:path",
    });
  const service = findService(declaration, name).name;
  const chosen = await chooseMoment(bench, { service, at, only: [component] }, bench.clock.now());
  const { point, replays, unreached } = chosen;
  // Of a composed point: the one that the part came with, which is what the vault has.
  const holder = point.composed?.members.find((member) => member.component === component)?.point ?? point.id;
  return {
    place: formatPlace({ point: holder, component, path }),
    replay: replays[component] ?? null,
    warnings: unreached.map(
      ({ reachedAt, toAt }) =>
        `the log of ${component} is received up to ${toAt}, and from point ${shortId(holder)} it leads on only to ${reachedAt}`,
    ),
  };
};
