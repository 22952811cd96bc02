/** edit: changes how a step of a run that stands still is executed. */
import { z } from "zod";
import { formatList } from "../../core/text/quantity.ts";
import { shortId } from "../../model/identifiers.ts";
import { editRun } from "../../operations/edit-run.ts";
import { editValue } from "../../render/run-words.ts";
import { lines, nextLine } from "../../render/screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { runNumberInput } from "../run-number.ts";
import { runArgument, stepArgument } from "../words.ts";

export const editCommand = defineCommand({
  name: "edit",
  group: "At 3 a.m.",
  summary: "change a step of a run that stands still",
  about: [
    "Changes one field of a step that is still to be done, of a run that is paused, waits, has failed or was interrupted: timeout, heartbeat, retries, " +
      "backoff, priority; of a manual step also do and expect. The value is checked as in refloat.yaml. The run then goes on by the edited plan, which has another digest; " +
      "the audit log and the run's report tell what was changed, by whom and why. Instructions are part of what a gate approves: after an edit of do or expect it asks again; " +
      "once the cutover of an approved run has begun they cannot be edited.",
    "What is restored, from which point and behind which names cannot be edited: cancel the run and plan anew.",
  ],
  arguments: [
    runArgument,
    stepArgument,
    {
      name: "FIELD",
      about: "timeout, heartbeat, retries, backoff, priority, do, expect",
      required: true,
      completes: null,
    },
    { name: "VALUE", about: "as in refloat.yaml: 6h, 5, words", required: true, completes: null },
  ],
  options: [{ name: "reason", value: "TEXT", about: "why; told in the report" }],
  examples: [
    {
      line: 'refloat edit 42 restore:db timeout 6h --reason "the disk is slow tonight"',
      about: "then: refloat resume 42",
    },
    {
      line: 'refloat edit 42 move-the-payment-webhook do "Set it in the new console" --reason "the old console is gone"',
      about: "other instructions",
    },
  ],
  exits: [3, 4],
  input: z.object({
    run: runNumberInput,
    step: z.string("say which step; refloat runs RUN lists them"),
    field: z.string("say which field: refloat edit 42 restore:db timeout 6h"),
    value: z.string("say what it is to be: refloat edit 42 restore:db timeout 6h"),
    reason: z.string("say why: --reason TEXT").trim().min(1, "--reason needs words"),
  }),
  act: async (input, { output, bench: open }) => {
    const bench = await open();
    const edited = await during(output, bench.clock, "editing the run", () => editRun(bench, input));
    const { run, service, step, field, from, to, before, after, by, asksAgain } = edited;
    return answer(
      "run-edit",
      edited,
      lines(
        `run ${run} of ${service}: ${field} of ${step} is ${editValue(to)}, was ${editValue(from)}; by ${by}`,
        `plan ${shortId(before)} is now plan ${shortId(after)}`,
        asksAgain.length === 0
          ? null
          : `yes has to be said again to ${formatList(asksAgain)}: it was said of other instructions`,
        nextLine(output.screen(bench.host.timeZone), `refloat resume ${run}`),
      ),
    );
  },
});
