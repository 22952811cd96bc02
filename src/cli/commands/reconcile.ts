/** reconcile: rows of the old side into the recovered one. */
import { z } from "zod";
import { formatAmount } from "../../core/text/quantity.ts";
import { mendedRowsSchema, rowsPutBack } from "../../model/mend.ts";
import { applyMend } from "../../operations/mend.ts";
import { type Reconciliation, proposeReconciliation } from "../../operations/reconcile.ts";
import { renderMended, renderProposal, shortDigest } from "../../render/mend-screen.ts";
import { renderAsWritten, renderReconciled } from "../../render/reconcile-screen.ts";
import { type CommandContext, answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { during } from "../live-progress.ts";
import { runNumberInput } from "../run-number.ts";
import { partsInput, runArgument, splitList } from "../words.ts";

export const reconcileCommand = defineCommand({
  name: "reconcile",
  group: "At 3 a.m.",
  summary: "after a recovery: what came after the point back into the recovered side",
  about: [
    "A recovery goes back to a point, and what was written after it stays on the old side, which is kept. This finds those rows by key, and puts the ones that the " +
      "recovered side does not have into it: the orders that came in after the bad migration, without the migration. Each component, of a whole cluster or server each database, is a batch of its own: shown, " +
      "written as SQL, asked about, and done in one transaction or not at all.",
    "Rows that both sides have and that differ are left alone, since the old side may have them wrong: --rows changed takes those too, for tables that you name. " +
      "Only rows come back, and the tables' own triggers do not fire: what they did then is not done again. An outbox or a queue in a table is rows too: leave " +
      "it out by --only. " +
      "Each batch can be taken back by refloat mend SERVICE --undo.",
    "Rows come as the old side has them: what a bad statement did to rows that were written after the point comes with them, and is told before the question. " +
      "Tables without a key are left out: named with the number of their rows, which are written as CSV.",
    "Needs the old side: before refloat commit.",
  ],
  arguments: [runArgument],
  options: [
    {
      name: "only",
      value: "COMPONENT[:TABLE]",
      repeatable: true,
      about: "only these components, or tables of them; of a cluster or server DATABASE or DATABASE/TABLE",
    },
    {
      name: "rows",
      value: "KIND",
      repeatable: true,
      about: "gone (the recovered side does not have them) or changed; gone when left out",
      completes: ["changed", "gone"],
    },
    {
      name: "triggers",
      about:
        "let the tables' own triggers fire; when left out PostgreSQL's are disabled inside the transaction, which locks the tables and needs their ownership; MariaDB cannot, and rows that would fire one are left out and named",
    },
    { name: "no-apply", about: "write the SQL and stop" },
  ],
  examples: [
    { line: "refloat reconcile 42", about: "everything that was added after the point" },
    {
      line: "refloat reconcile 42 --only db:orders,db:order_items",
      about: "what belongs together, in one transaction",
    },
  ],
  exits: [3, 4, 7],
  input: z.object({
    run: runNumberInput,
    only: partsInput,
    rows: splitList.pipe(z.array(mendedRowsSchema)),
    triggers: z.boolean().default(false),
    apply: z.boolean().default(true),
  }),
  act: async ({ run, only, rows, triggers, apply }, context) => {
    const bench = await context.bench();
    const screen = context.output.screen(bench.host.timeZone);
    const request = { run, only, rows: rows.length === 0 ? (["gone"] as const) : rows, fireTriggers: triggers };
    const found = await during(context.output, bench.clock, "comparing", () =>
      proposeReconciliation(bench, request, context.signal),
    );
    const batches = [];
    for (const batch of found.batches) {
      const mend = { service: found.service, ...batch };
      context.output.say(renderProposal(mend, screen));
      const asWritten = renderAsWritten(batch.proposal, screen);
      if (asWritten !== "") context.output.say(asWritten);
      const applied = apply && rowsPutBack(batch.proposal) > 0;
      if (applied) {
        await approve(found, batch, context);
        await during(context.output, bench.clock, "writing", () => applyMend(bench, mend, "mend", context.signal));
        context.output.say(renderMended(mend, "mend", screen));
      }
      batches.push({ component: batch.component, applied, ...batch.proposal });
    }
    const { service, left } = found;
    const data = { service, run, batches, left: [...left] };
    return answer("reconcile", data, renderReconciled({ ...data, apply }, screen));
  },
});

const approve = async (
  { service }: Reconciliation,
  { component, proposal }: Reconciliation["batches"][number],
  context: CommandContext,
): Promise<void> =>
  requireYes(context, {
    question: `Put ${formatAmount(rowsPutBack(proposal), "rows")} into ${component} now?`,
    unasked: "it changes what is live",
    nextCommand: `refloat mend ${service} --proposal ${shortDigest(proposal.digest)}`,
  });
