/** vault prune: let points expire, give back what nothing uses. */
import { z } from "zod";
import { formatAmount, formatCount } from "../../core/text/quantity.ts";
import { logFates } from "../../core/retention/log-lifetimes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type PrunePlan, type PruneResult, beginVaultPrune } from "../../operations/vault-prune.ts";
import { describeDoubt, renderPrunePlan, renderPruneResult } from "../../render/prune-screen.ts";
import type { Screen } from "../../render/screen.ts";
import { answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { showProgress } from "../live-progress.ts";
import { serviceArgument } from "../words.ts";

/** Longer than a machine may sleep in the middle of a capture, and than a reader without a lock reads. */
const graceMs = 86_400_000;

export const vaultPruneCommand = defineCommand({
  name: "vault prune",
  group: "Machinery",
  summary: "let points expire, give back unused space",
  about: [
    "Lets the points expire that no rule of their service's keep: holds on to, then removes data that nothing uses any more. A point that is " +
      "locked, held or tagged, that a run may still go back to, the newest one and the last one whose checks passed never expire; nor does " +
      "anything of a service without keep:. Shows of each point why it stays or goes, and asks.",
    "Copies of runs go 90 days after they were saved, once a later copy supersedes them or the run was committed or undone, failed or was " +
      "cancelled. The last copy of a run that could still be taken up stays, whatever its age; so do records of points that left, and escrow bundles.",
    "Logs of components stay as long as a point that they lead on from, or as long as the component's pitr: says, with the point that it takes; what a run that is not finished goes on by stays too.",
    "Works in two steps beside captures and never makes one wait: what is found unused is removed by a later prune, a day after, when " +
      "nobody can count on it any more. --now does not wait for the day, only for those who are at work.",
    "When the clock seems wrong (a point in the future, or a gap that would let all before it go) nothing expires; --trust-clock says that " +
      "you have looked at it.",
  ],
  arguments: [
    {
      ...serviceArgument,
      required: false,
      repeats: true,
      about: "only points of these services expire; all when left out",
    },
  ],
  options: [
    { name: "dry-run", about: "show why each point stays or goes and how much would be given back; change nothing" },
    { name: "now", about: "remove what is unused at once, if nobody else is at work" },
    { name: "trust-clock", about: "the clock is right, however it seems" },
  ],
  examples: [
    { line: "refloat vault prune --dry-run", about: "what would go, and why the rest stays" },
    {
      line: "17 3 * * *  refloat vault prune --yes --json >>/var/log/refloat-prune.jsonl",
      about: "every night, by cron",
    },
  ],
  exits: [3, 4, 7],
  input: z.object({
    service: z.array(z.string()).default([]),
    dryRun: z.boolean().default(false),
    now: z.boolean().default(false),
    trustClock: z.boolean().default(false),
  }),
  act: async ({ service, dryRun, now: atOnce, trustClock }, context) => {
    const { output, signal } = context;
    const bench = await context.bench();
    const screen = output.screen(bench.host.timeZone);
    const now = bench.clock.now().toISOString();
    let items = 0;
    const line = (): string => `looking at what is used: ${formatCount(items)} folders`;
    const counting = showProgress(output, { frame: line, line });
    const request = { services: service, trustClock, graceMs: atOnce ? 0 : graceMs };
    const prune = await beginVaultPrune(bench, request, signal, (delta) => (items += delta.items)).finally(() =>
      counting.stop(),
    );
    try {
      const { plan } = prune;
      const strays = countStrays(plan);
      const text = renderPrunePlan({ ...plan, strays, now }, screen);
      const doubt = doubtOf(plan, now, screen);
      if (dryRun) return answer("vault-prune", dataOf(plan, null), text, doubt);
      output.say(`${text}\n`);
      await requireYes(context, {
        question: plan.expiring.length === 0 ? "Remove what nothing uses?" : "Let them expire now?",
        unasked: "points that expire cannot be brought back",
        nextCommand: "refloat vault prune --yes",
      });
      const removing = showProgress(output, { frame: () => "pruning", line: () => "pruning" });
      const result = await prune.carryOut(signal, () => undefined).finally(() => removing.stop());
      return answer(
        "vault-prune",
        dataOf(plan, result),
        renderPruneResult({ ...result, now }, screen),
        doubt ?? refusalOf(result),
      );
    } finally {
      await prune.close();
    }
  },
});

/** Members that go without their point: it never was, or went before. */
const countStrays = ({ expiring, removals }: PrunePlan): number => {
  const own = new Set(
    expiring.flatMap(({ point }) => Object.values(point.manifest.components).map(({ snapshot }) => snapshot)),
  );
  return removals.members.filter((id) => !own.has(id)).length;
};

const dataOf = (plan: PrunePlan, result: PruneResult | null) => ({
  dryRun: result === null,
  services: plan.services.map(({ service, keep, doubt, points }) => ({
    service,
    keep,
    doubt,
    points: points.map(({ point, verdict, reasons }) => ({
      point: point.id,
      takenAt: point.manifest.consistentAt,
      verdict,
      reasons,
    })),
  })),
  unreadable: plan.unreadable,
  runCopies: plan.runCopies.map(({ copy: { id, uid, service, savedAt, state }, why, lockedUntil }) => ({
    snapshot: id,
    run: uid,
    service,
    savedAt,
    state,
    why,
    lockedUntil,
  })),
  logs: logFates(plan.logs).map(({ driver: _driver, ...fate }) => fate),
  forecast: plan.forecast,
  result,
});

const doubtOf = ({ services }: PrunePlan, now: string, screen: Screen): RefloatError | null => {
  const doubted = services.find(({ doubt }) => doubt !== null);
  if (doubted === undefined || doubted.doubt === null) return null;
  return new RefloatError("clock.doubtful", `the clock seems wrong: ${describeDoubt(doubted.doubt, now, screen)}`, {
    context: { service: doubted.service },
    state: `no point of ${doubted.service} expired`,
    hint: "compare `date` with a watch; if the clock is right, say so",
    nextCommand: `refloat vault prune ${doubted.service} --trust-clock`,
  });
};

/** A store that keeps some of it has its reasons, and they are shown; one that lets go of nothing lacks a right. */
const refusalOf = ({ expired, refused, report }: PruneResult): RefloatError | null => {
  // A lock is no lack of a right: what it holds goes once it is over.
  const kept = [...refused, ...report.refused.filter(({ until }) => until === null)];
  if (kept.length === 0 || expired.length > 0 || report.removedPacks > 0) return null;
  return new RefloatError("vault.store-failed", `nothing could be removed: ${kept[0]?.reason ?? ""}`, {
    context: { files: kept.length },
    state: `all of it is still there; ${formatAmount(kept.length, "files")} were to go`,
    hint: "prune with a login that may delete in the vault; captures need no such right",
  });
};
