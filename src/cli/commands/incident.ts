/** incident: says that a service has been wrong since a moment, until it is over. */
import { z } from "zod";
import { type IncidentChange, closeIncident, listIncidents, openOrChange } from "../../operations/incident.ts";
import { renderIncidents } from "../../render/incidents-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

const actions = ["list", "open", "close"] as const;

export const incidentCommand = defineCommand({
  name: "incident",
  group: "At 3 a.m.",
  summary: "a service is wrong since a moment: open, close, list",
  about: [
    "While an incident of a service is open, none of its points expires, points that were read after its begin are marked suspect, and last (also where " +
      "--at is left out) means the last point from before it. Closing it ends all three.",
    "--since is the moment of the first wrong answer, or what a mark is called. `open` again changes an incident that is open: most begin earlier than " +
      "was thought. refloat recover --incident TIME opens one by itself. Incidents lie in the vault like marks, and are in the audit log.",
  ],
  arguments: [
    { name: "ACTION", about: "list (also without it), open, close", required: false, completes: actions },
    { ...serviceArgument, required: false },
  ],
  options: [
    {
      name: "since",
      value: "TIME",
      about: 'with open: "20 minutes ago", 14:05, 2026-11-20T14:05:00Z, or the name of a mark',
    },
    { name: "reason", value: "TEXT", about: "with open: what is wrong, for whoever looks at status" },
  ],
  examples: [
    {
      line: 'refloat incident open shop --since 14:21 --reason "prices are 0"',
      about: "hold what is needed, doubt what came after",
    },
    {
      line: 'refloat incident open shop --since "upgrade 2.5.0"',
      about: "since a mark; also to change one that is open",
    },
    { line: "refloat incident close shop", about: "when it is over" },
    { line: "refloat incident", about: "all that are known, of all services" },
  ],
  exits: [3, 4],
  input: z
    .object({
      action: z.enum(actions, "incident takes list, open or close").default("list"),
      service: serviceInput.nullable().default(null),
      since: z.string().nullable().default(null),
      reason: z.string().trim().min(1, "--reason needs a text").nullable().default(null),
    })
    .refine(({ action, service }) => action === "list" || service !== null, "name the SERVICE whose incident it is")
    .refine(
      ({ action, since, reason }) => action === "open" || (since === null && reason === null),
      "--since and --reason are for open",
    )
    .refine(
      ({ action, since, reason }) => action !== "open" || since !== null || reason !== null,
      'open needs to know since when: --since "20 minutes ago"',
    ),
  act: async ({ action, service, since, reason }, { bench: open, output, shell }) => {
    const bench = await open();
    const by = `${shell.userName}@${bench.host.hostname}`;
    const act = async (): Promise<IncidentChange | null> => {
      if (service === null || action === "list") return null;
      return action === "open"
        ? openOrChange(bench, { service, since, reason, by })
        : closeIncident(bench, { service, by });
    };
    const done = await during(output, bench.clock, action === "list" ? "reading the vault" : `${action} incident`, act);
    const incidents = await listIncidents(bench, service);
    const now = bench.clock.now().toISOString();
    const text = renderIncidents({ incidents, done, now }, output.screen(bench.host.timeZone));
    return answer("incident", { incidents, done }, text);
  },
});
