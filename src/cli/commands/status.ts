/** status: the first thing to type at 3 a.m. */
import { z } from "zod";
import { readStatus } from "../../operations/status.ts";
import { renderStatus } from "../../render/status-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";

export const statusCommand = defineCommand({
  name: "status",
  group: "At 3 a.m.",
  summary: "what is down, overdue or interrupted, and what to type next",
  about: [
    "Asks each service's probe, and each component whether it answers at all, looks at its newest recovery point and at its runs, and says what is wrong in one line per service. " +
      "A vault that does not open is a line of its own: the rest is shown all the same.",
    "Changes nothing. Ends with 0 also when a service is down: it has told so; scripts read the JSON.",
  ],
  arguments: [],
  options: [],
  examples: [
    { line: "refloat status", about: "all services" },
    { line: "watch -n 60 refloat status", about: "on a screen in the corner" },
  ],
  exits: [3, 4],
  input: z.object({}),
  act: async (_input, { bench: open, output, signal }) => {
    const bench = await open();
    const status = await during(output, bench.clock, "asking the services", () =>
      readStatus(bench, { components: true, signal }),
    );
    return answer("status", status, renderStatus(status, output.screen(bench.host.timeZone)));
  },
});
