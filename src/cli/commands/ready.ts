/** ready: could this service be recovered now? */
import { z } from "zod";
import { formatAmount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readReadiness } from "../../operations/ready.ts";
import { renderReadiness } from "../../render/ready-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const readyCommand = defineCommand({
  name: "ready",
  group: "Every day",
  summary: "could this be recovered right now?",
  about: [
    "Asks all that a recovery would need, and plans one without keeping the plan: does the vault open, is its newest point fresh by the rpo, whole and read since; do " +
      "source and target let us in; are programs, room and ports there; does this machine have what the applications were captured on; can traffic be switched; " +
      "does a run stand in the way; was it ever tried.",
    "Each check is ok, a warning (a recovery can begin, and a person should know) or not ready (it would be refused, fail, or miss an objective), with the reason and " +
      "what to do. Ends with 0 when nothing is not ready. Changes nothing, so it can be asked every day by a timer.",
  ],
  arguments: [serviceArgument],
  options: [],
  examples: [
    { line: "refloat ready shop", about: "before it is needed" },
    {
      line: `refloat ready shop --json | jq '.data.checks[] | select(.level != "ok")'`,
      about: "what stands in the way, for a script",
    },
  ],
  exits: [4],
  input: z.object({ service: serviceInput }),
  act: async ({ service }, { bench: open, output, signal }) => {
    const bench = await open();
    const readiness = await during(output, bench.clock, "asking vault, sources and targets", () =>
      readReadiness(bench, service, signal),
    );
    const text = renderReadiness(readiness, output.screen(bench.host.timeZone));
    if (readiness.ready) return answer("ready", readiness, text);
    const against = readiness.checks.filter(({ level }) => level === "not-ready").length;
    const error = new RefloatError("ready.not", `${formatAmount(against, "checks")} of ${service} not ready`, {
      state: "nothing was changed",
    });
    return answer("ready", readiness, text, error);
  },
});
