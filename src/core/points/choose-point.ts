/** From the words of `--at` to the recovery point that they mean: what plan, mend and assess are given. */
import { type LogTarget, readTarget, resolveTarget } from "./log-target.ts";
import { asMarkName } from "./named-moment.ts";
import { composePoints } from "./compose-points.ts";
import { earlier } from "./open-incident.ts";
import { newestFirst, type PointSelection, selectPoint } from "./select-point.ts";
import { selectionFacts } from "./selection-facts.ts";
import type { Workbench } from "../ports/workbench.ts";
import { type AtExpression, parseAt } from "../time/at-expression.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { Mark } from "../../model/mark.ts";
import { RefloatError } from "../../model/refloat-error.ts";

export type PointRequest = {
  readonly service: string;
  /** As typed; null for the newest point. */
  readonly at: string | null;
  /** Since when the service is known to be wrong, ISO, besides what an open incident says. */
  readonly incidentAt?: string | null;
  /** Components that are needed; null for all. */
  readonly only: readonly string[] | null;
  /** Ids of points that go beyond that moment. */
  readonly passedOver?: ReadonlySet<string>;
  /** What `at` means, where that was found before: a log is read once. */
  readonly target?: LogTarget | null;
  /** Ends the search of a log. */
  readonly signal?: AbortSignal;
};

export type ChosenPoint = PointSelection & {
  readonly at: AtExpression;
  /** Of the service, newest first. */
  readonly points: readonly RecoveryPoint[];
  readonly incidentSince: string | null;
  /** Of the service. */
  readonly marks: readonly Mark[];
};

/**
 * The place in a log that `--at` names; null where it names something else.
 * @throws RefloatError log.unknown-target, time.unclear, vault.*
 */
export const findTarget = async (
  bench: Workbench,
  { service, at, only, signal = new AbortController().signal }: PointRequest,
): Promise<LogTarget | null> => {
  const typed = at === null ? null : readTarget(bench.registry, at);
  if (typed === null) return null;
  const { logs } = await bench.vault();
  return resolveTarget({ logs, registry: bench.registry }, typed, { service, only, signal });
};

/** @throws RefloatError time.unclear, mark.unknown, run.unknown, log.unknown-target, point.* */
export const choosePoint = async (bench: Workbench, request: PointRequest, now: Date): Promise<ChosenPoint> => {
  const { service, only, passedOver } = request;
  const target = request.target === undefined ? await findTarget(bench, request) : request.target;
  const at = target ?? (await readAt(bench, service, request.at ?? "last", now));
  const points = newestFirst(composePoints(await (await bench.vault()).points.list(service)));
  const facts = await selectionFacts(bench, service, at);
  const incidentSince = earlier(facts.incidentSince ?? null, request.incidentAt ?? null);
  const selected = selectPoint(points, at, {
    service,
    ...facts,
    incidentSince,
    ...(only === null ? {} : { scope: only }),
    ...(passedOver === undefined ? {} : { passedOver }),
  });
  return { ...selected, at, points, incidentSince, marks: facts.marks ?? [] };
};

/** A vault that does not open must not hide a mistake in what was typed. */
const readAt = async (bench: Workbench, service: string, text: string, now: Date): Promise<AtExpression> => {
  try {
    return parseAt(text, now, bench.host.timeZone);
  } catch (error) {
    if (!(error instanceof RefloatError && error.code === "time.unclear")) throw error;
    const marks = await bench.vault().then(
      (vault) => vault.marks.list(service),
      () => [],
    );
    throw asMarkName(error, text, marks);
  }
};
