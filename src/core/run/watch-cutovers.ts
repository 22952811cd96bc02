/**
 * Keeps captures apart from cutovers. While one has begun and not ended, some components stand on the old side and some on the new
 * one: a point of that would look whole and be of two worlds. Knows the runs of this machine's journal only.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";
import type { Workbench } from "../ports/workbench.ts";
import { isLive } from "./legal-transitions.ts";
import { hasAdmitBegun, hasCutoverBegun } from "./resume-rules.ts";
import { buildStepGraph } from "./step-graph.ts";

export type CutoverWatch = {
  /** @throws RefloatError run.in-progress if one goes on, or has come and gone since the watch began */
  readonly askAgain: () => Promise<void>;
};

export type WatchOptions = {
  readonly service: string;
  /** Uid of the run that takes the point itself, in its own time. */
  readonly takenBy: string | null;
};

/** @throws RefloatError run.in-progress if one goes on */
export const watchCutovers = async (
  bench: Pick<Workbench, "journal" | "leases">,
  options: WatchOptions,
): Promise<CutoverWatch> => {
  const before = switchStates(await refuseInCutover(bench, options));
  return {
    askAgain: async () => {
      const runs = await refuseInCutover(bench, options);
      const now = switchStates(runs);
      const changed = runs.find(({ uid }) => now.get(uid) !== before.get(uid));
      if (changed === undefined) return;
      throw new RefloatError(
        "run.in-progress",
        `run ${changed.number} of ${options.service} switched sides while this point was being taken`,
        { hint: "take it again", nextCommand: `refloat capture ${options.service}` },
      );
    },
  };
};

/** @returns the runs of the service other than the one that takes the point */
const refuseInCutover = async (
  bench: Pick<Workbench, "journal" | "leases">,
  { service, takenBy }: WatchOptions,
): Promise<readonly RunRecord[]> => {
  const journal = await bench.journal();
  const runs = (await journal.listRuns(service)).filter(({ uid }) => uid !== takenBy);
  for (const { number } of runs.filter(({ state }) => isLive(state))) {
    const { record, plan } = await journal.readRun(number);
    if (isInCutover(record, plan)) throw inCutover(record, plan, await (await bench.leases()).holder(service));
  }
  return runs;
};

const isInCutover = (record: RunRecord, plan: Plan): boolean => {
  const graph = buildStepGraph(plan.intent.steps);
  return (
    isLive(record.state) &&
    hasCutoverBegun(record, graph) &&
    record.steps.some(({ id, state }) => graph.steps.get(id)?.phase === "cutover" && state !== "done")
  );
};

const inCutover = (record: RunRecord, plan: Plan, holder: string | null): RefloatError => {
  const { number, service } = record;
  const message = `run ${number} of ${service} is in its cutover: a point would be of two sides`;
  if (holder !== null) {
    const hint = "wait for its end, then capture";
    return new RefloatError("run.in-progress", message, { hint, nextCommand: `refloat runs ${number}` });
  }
  const back = hasAdmitBegun(record, buildStepGraph(plan.intent.steps)) ? "undo" : "cancel";
  return new RefloatError("run.in-progress", message, {
    hint: `go on with it, or put the side back that served before: refloat ${back} ${number}`,
    nextCommand: `refloat resume ${number}`,
  });
};

/** By run: what has become of its switches. */
const switchStates = (runs: readonly RunRecord[]): ReadonlyMap<string, string> =>
  new Map(
    runs.map(({ uid, steps }) => [
      uid,
      steps
        .filter(({ id, attempt }) => id.startsWith("switch:") && attempt > 0)
        .map(({ id, attempt, state }) => `${id} ${attempt} ${state}`)
        .join(", "),
    ]),
  );
