/** points: what a service can be brought back to. */
import { z } from "zod";
import { holdPoint, releasePoint } from "../../operations/hold-point.ts";
import { type ServicePoints, listAllPoints, listPoints } from "../../operations/points.ts";
import { renderPoints } from "../../render/points-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

/** Enough of the id that a slip does not hold another. */
const pointInput = z.string().regex(/^[0-9a-f]{4,64}$/, "a point is named by at least four letters of its id");

export const pointsCommand = defineCommand({
  name: "points",
  group: "At 3 a.m.",
  summary: "recovery points of a service, or of each, newest first",
  about: [
    "Lists the recovery points of a service, or of all where none is named, with their age, size, what each added to the vault, and what is known about it: checks that " +
      "failed at capture, a schema that changed, parts that are missing. Also says in which order the components are recovered.",
    "--hold keeps a point from expiring, with a reason, until --release takes that back. Otherwise it reads the vault and changes nothing.",
  ],
  arguments: [{ ...serviceArgument, required: false }],
  options: [
    { name: "all", about: "every point on a line of its own, also those that tell the same" },
    { name: "hold", value: "POINT", about: "this point must not expire" },
    { name: "reason", value: "TEXT", about: "why it is held" },
    { name: "release", value: "POINT", about: "this point is held no more" },
  ],
  examples: [
    { line: "refloat points shop", about: "what shop can be brought back to" },
    { line: "refloat points --vault /mnt/backup", about: "what a vault holds, where nothing is declared" },
    { line: "refloat points shop --json | jq '.data.points[0].id'", about: "the newest one, for a script" },
    { line: 'refloat points shop --hold 7f3a91c2 --reason "incident 3"', about: "it stays, whatever keep: says" },
  ],
  exits: [3, 4],
  input: z
    .object({
      service: serviceInput.nullable().default(null),
      all: z.boolean().default(false),
      hold: pointInput.optional(),
      reason: z.string().min(1).optional(),
      release: pointInput.optional(),
    })
    .refine(
      ({ hold, reason }) => (hold === undefined) === (reason === undefined),
      "--hold needs --reason, and only it does",
    )
    .refine(({ hold, release }) => hold === undefined || release === undefined, "a point is held or released, not both")
    .refine(
      ({ service, hold, release }) => service !== null || (hold ?? release) === undefined,
      "name the SERVICE of the point",
    ),
  act: async ({ service, all, hold, reason, release }, { bench: open, output, shell }) => {
    const bench = await open();
    const screen = output.screen(bench.host.timeZone);
    const now = bench.clock.now().toISOString();
    const show = ({ service: { name }, ...known }: ServicePoints): string =>
      renderPoints({ ...known, service: name, now, all }, screen);
    if (service === null) {
      const services = await during(output, bench.clock, "reading the vault", () => listAllPoints(bench));
      return answer("all-points", { services }, services.map(show).join("\n"));
    }
    if (hold !== undefined && reason !== undefined) {
      const by = `${shell.userName}@${bench.host.hostname}`;
      await during(output, bench.clock, "holding", () => holdPoint(bench, { service, point: hold, reason, by }));
    }
    if (release !== undefined)
      await during(output, bench.clock, "releasing", () => releasePoint(bench, { service, point: release }));
    const found = await during(output, bench.clock, "reading the vault", () => listPoints(bench, service));
    return answer("points", found, show(found));
  },
});
