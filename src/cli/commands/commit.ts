/** commit: drop the side that a run has put away; after a recovery that ends undo. */
import { z } from "zod";
import { keptSides } from "../../core/run/kept-sides.ts";
import { lostWrites } from "../../core/run/lost-writes.ts";
import { commit } from "../../operations/commit.ts";
import { readRun } from "../../operations/runs.ts";
import { renderCommit } from "../../render/commit-screen.ts";
import { lines, nextLine } from "../../render/screen.ts";
import { answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { during } from "../live-progress.ts";
import { runNumberInput } from "../run-number.ts";
import { runArgument } from "../words.ts";

export const commitCommand = defineCommand({
  name: "commit",
  group: "At 3 a.m.",
  summary: "drop the side that was put away; ends undo",
  about: [
    "Drops the side that a run has put away. Of a recovery: the damaged database, the folders that were exchanged; after that it cannot be " +
      "undone. Of an undo: the side that the undo has left. Says what it will drop, and what of it is in no other place, and asks. Recovery points and the rows that a run " +
      "exported are kept.",
  ],
  arguments: [runArgument],
  options: [],
  examples: [
    { line: "refloat commit 42", about: "shows what will be dropped, and asks" },
    { line: "refloat commit 43 --yes", about: "for a script; run 43 was the undo of 42: what 42 had recovered goes" },
  ],
  exits: [3, 4, 7],
  input: z.object({ run: runNumberInput }),
  act: async ({ run }, context) => {
    const { output, signal } = context;
    const bench = await context.bench();
    const { record } = await readRun(bench, run);
    const dropped = keptSides(record);
    // A run that has nothing to drop is refused below, with the reason.
    if (record.state === "succeeded" && dropped.length > 0) {
      const lost = lostWrites(
        record,
        dropped.map(({ component }) => component),
      );
      const { service, purpose } = record;
      output.say(renderCommit({ service, run, purpose, dropped, lost }, output.screen(bench.host.timeZone)));
      await requireYes(context, {
        question: "Drop it now?",
        unasked: "what is dropped cannot be brought back",
        nextCommand: `refloat commit ${run} --yes`,
      });
    }
    const result = await during(
      output,
      bench.clock,
      record.purpose === "undo" ? "dropping the side that was left" : "dropping the old side",
      () => commit(bench, { run, signal }),
    );
    const { discarded } = result;
    return answer(
      "commit",
      result,
      lines(
        `Run ${run} is committed; dropped: ${discarded.length === 0 ? "nothing" : discarded.join(", ")}`,
        nextLine(output.screen(bench.host.timeZone), "refloat status"),
      ),
    );
  },
});
