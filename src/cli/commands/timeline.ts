/** timeline: what happened to a service, drawn. */
import { z } from "zod";
import { readTimeline } from "../../operations/timeline.ts";
import { renderTimeline } from "../../render/timeline-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const timelineCommand = defineCommand({
  name: "timeline",
  group: "At 3 a.m.",
  summary: "what happened to a service: points, marks, runs, gaps, incidents",
  about: [
    "Draws lanes below one scale of time: the points with the marks, which of them were verified, are held or locked, when points were due and missed, runs " +
      "and when they changed what is live, incidents; and a lane for each component that does not follow the points of its service. Below them the " +
      "events, newest first.",
    "What was missed is told only where the chain of points shows that nothing lay between, since what has expired was taken once. Reads the vault and this " +
      "machine's journal; changes nothing. Fits the width of the terminal, in ASCII where the locale names another character set than UTF-8.",
  ],
  arguments: [serviceArgument],
  options: [
    {
      name: "since",
      value: "TIME",
      about:
        '"2 days ago", "yesterday 14:00", or the name of a mark; the last week, or the newest point where that is older, when left out',
    },
    {
      name: "changes",
      about:
        "also what the received logs tell: the largest transactions, definitions that were changed, tables that were dropped or emptied, restore points; each with the words for --at that go to just before it. Reads all of the log since then",
    },
  ],
  examples: [
    { line: "refloat timeline shop --since 14:00 --changes", about: "which transaction did it" },
    { line: "refloat timeline shop", about: "the last week" },
    { line: 'refloat timeline shop --since "upgrade 2.5.0"', about: "since a mark" },
    { line: "refloat timeline shop --json | jq '.data.gaps'", about: "what was missed, for a script" },
  ],
  exits: [3, 4],
  input: z.object({
    service: serviceInput,
    since: z.string().nullable().default(null),
    changes: z.boolean().default(false),
  }),
  act: async (request, { bench: open, output, signal }) => {
    const bench = await open();
    const timeline = await during(output, bench.clock, "reading the vault", () => readTimeline(bench, request, signal));
    return answer("timeline", timeline, renderTimeline(timeline, output.screen(bench.host.timeZone)));
  },
});
