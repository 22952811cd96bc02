/** notify: tries the targets, and tells of overdue captures. */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { notifyOverdue, notifyTest } from "../../operations/notify.ts";
import { renderNotified } from "../../render/notify-screen.ts";
import { answer, defineCommand } from "../command.ts";

const actions = ["test", "overdue"] as const;

export const notifyCommand = defineCommand({
  name: "notify",
  group: "Machinery",
  summary: "try the targets of notify:, tell of overdue captures",
  about: [
    "Runs tell of their begin, of a wait for somebody and of their end by themselves, and so do captures that fail: to the webhooks and mail addresses of notify: in refloat.yaml.",
    "test sends a message to each target, whatever it listens to. overdue looks for services whose next point is overdue and tells of each once until the next point: to be " +
      "run by a timer, since a capture that never began can tell nothing. Ends with 4 when a target could not be reached.",
  ],
  arguments: [{ name: "ACTION", about: "test, overdue", required: true, completes: actions }],
  options: [],
  examples: [
    { line: "refloat notify test", about: "does it arrive?" },
    { line: "*/10 * * * *  refloat notify overdue", about: "every ten minutes, by cron" },
  ],
  exits: [3, 4],
  tellsRuns: false,
  input: z.object({ action: z.enum(actions, `an action is one of ${actions.join(", ")}`) }),
  act: async ({ action }, { bench: open, output }) => {
    const bench = await open();
    const notified = action === "test" ? await notifyTest(bench) : await notifyOverdue(bench);
    const screen = output.screen(bench.host.timeZone);
    const text = renderNotified(notified, bench.clock.now().toISOString(), screen);
    const failed = notified.outcomes.filter(({ problem }) => problem !== null);
    if (failed.length === 0) return answer("notify", notified, text);
    const error = new RefloatError(
      "notify.undelivered",
      `${failed.length} of ${notified.outcomes.length} not delivered`,
      {
        state: "what is told of is not touched by that",
      },
    );
    return answer("notify", notified, text, error);
  },
});
