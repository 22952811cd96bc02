/** plan: what a recovery would do, lose and take; changes nothing. */
import { plan } from "../../operations/plan.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { planRequestInput, planRequestOptions } from "../plan-request.ts";
import { planText } from "../show-plan.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const planCommand = defineCommand({
  name: "plan",
  group: "At 3 a.m.",
  summary: "what a recovery does, loses and takes; changes nothing",
  about: [
    "Picks the recovery point, looks at what is live and at the disks, and prints the plan: its steps in waves, the critical path (*), " +
      "what each component loses and what is kept, how long it takes and for how long traffic is held, warnings, and the digest.",
    "Changes nothing. The plan is remembered by its digest: refloat recover --plan DIGEST does exactly what was shown.",
  ],
  arguments: [serviceArgument],
  options: planRequestOptions,
  examples: [
    { line: "refloat plan shop", about: "all of shop, from its newest point" },
    { line: 'refloat plan shop --at "2 hours ago" --only db', about: "only the database, from before the damage" },
    { line: "refloat plan shop --at 7f3a91c2 --no-cutover", about: "restore beside live and check, then stop" },
  ],
  exits: [3, 4],
  input: planRequestInput.extend({ service: serviceInput }),
  act: async (request, { bench: open, output, signal }) => {
    const bench = await open();
    const planned = await during(output, bench.clock, "planning", () => plan(bench, request, signal));
    return answer("plan", planned, await planText(planned, bench, output));
  },
});
