/** points: what a service can be brought back to. */
import { z } from "zod";
import { listPoints } from "../../operations/points.ts";
import { renderPoints } from "../../render/points-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const pointsCommand = defineCommand({
  name: "points",
  group: "At 3 a.m.",
  summary: "recovery points of a service, newest first",
  about: [
    "Lists the recovery points of a service with their age, size, what each added to the vault, and what is known about it: checks that " +
      "failed at capture, a schema that changed, parts that are missing. Also says in which order the components are recovered.",
    "Reads the vault; changes nothing.",
  ],
  arguments: [serviceArgument],
  options: [{ name: "all", about: "every point on a line of its own, also those that tell the same" }],
  examples: [
    { line: "refloat points shop", about: "what shop can be brought back to" },
    { line: "refloat points shop --json | jq '.data.points[0].id'", about: "the newest one, for a script" },
  ],
  exits: [3, 4],
  input: z.object({ service: serviceInput, all: z.boolean().default(false) }),
  act: async ({ service, all }, { bench: open, output }) => {
    const bench = await open();
    const found = await during(output, bench.clock, "reading the vault", () => listPoints(bench, service));
    const now = bench.clock.now().toISOString();
    const text = renderPoints(
      { service, points: found.points, verified: found.verified, now, all },
      output.screen(bench.host.timeZone),
    );
    return answer("points", found, text);
  },
});
