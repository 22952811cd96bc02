/** What the journal says of readiness: does a run stand in the way, was a recovery ever tried, and how long ago? Pure. */
import type { ReadyCheck } from "../../model/readiness.ts";
import type { RunRecord, StepRecord } from "../../model/run.ts";
import { readyAge } from "./judge-point.ts";

export type RunFacts = {
  readonly service: string;
  /** In their true states, newest first. */
  readonly runs: readonly RunRecord[];
  /** ISO 8601. */
  readonly now: string;
};

/** Teams and machines change in a quarter; what was not tried since then is a hope. */
const rehearsedWithinMs = 90 * 86_400_000;

const standing: ReadonlySet<RunRecord["state"]> = new Set(["running", "waiting", "interrupted", "needs-operator"]);

const standingWords = (state: RunRecord["state"]): string => {
  if (state === "running") return "goes on";
  if (state === "needs-operator") return "needs a person";
  return state === "waiting" ? "waits for an answer" : "was interrupted";
};

const standsInTheWay = ({ runs, service }: RunFacts): readonly ReadyCheck[] =>
  runs
    .filter(({ state }) => standing.has(state))
    .map(({ number, state }) => ({
      area: "runs",
      subject: `run ${number}`,
      level: "not-ready",
      found: `run ${number} of ${service} ${standingWords(state)}: no other can begin`,
      nextCommand: state === "running" ? `refloat runs ${number} --follow` : `refloat resume ${number}`,
    }));

const isPast: ReadonlySet<StepRecord["state"]> = new Set(["done", "cancelled", "pending", "skipped", "compensated"]);

/**
 * Undone and dropped by a person's wish, after all that it had begun was done, it worked all the same: a rehearsal beside what is live ends so.
 * One that went back by itself has a step that failed.
 */
const hasWorked = ({ state, steps }: RunRecord): boolean => {
  if (state === "succeeded" || state === "committed") return true;
  if (state !== "undone" && state !== "cancelled") return false;
  return (
    steps.every((step) => step.error === null && isPast.has(step.state)) &&
    steps.some(({ id, output }) => id.startsWith("check:") && output !== null)
  );
};

/** One that failed is told even if an older one had worked. */
const rehearsal = ({ runs, service, now }: RunFacts): ReadyCheck => {
  const base = { area: "rehearsal", subject: "last recovery" };
  const nextCommand = `refloat recover ${service} --no-cutover`;
  const ended = runs.filter(({ purpose, state }) => purpose === "recover" && !standing.has(state));
  const good = ended.find(hasWorked);
  const newest = ended.find(({ state }) => state !== "cancelled");
  if (newest?.state === "failed" && newest !== good) {
    const error = newest.steps.find((step) => step.error !== null)?.error;
    return {
      ...base,
      level: "warning",
      found: `the last one, run ${newest.number}, failed ${readyAge(newest.endedAt ?? newest.beganAt, now)} ago${error === null || error === undefined ? "" : `: ${error.message}`}`,
      nextCommand: `refloat runs ${newest.number}`,
    };
  }
  if (good === undefined) {
    return {
      ...base,
      level: "warning",
      found: "it was never recovered, nor restored beside, from this machine",
      nextCommand,
    };
  }
  const found = `run ${good.number} worked ${readyAge(good.endedAt ?? good.beganAt, now)} ago`;
  const isOld = Date.parse(now) - Date.parse(good.endedAt ?? good.beganAt) > rehearsedWithinMs;
  return isOld ? { ...base, level: "warning", found, nextCommand } : { ...base, level: "ok", found };
};

export const judgeRuns = (facts: RunFacts): readonly ReadyCheck[] => [...standsInTheWay(facts), rehearsal(facts)];
