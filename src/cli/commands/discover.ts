/** discover: propose undeclared dependencies of a running service. */
import { z } from "zod";
import { discover } from "../../operations/discover.ts";
import { renderDiscovery } from "../../render/discover-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const discoverCommand = defineCommand({
  name: "discover",
  group: "Every day",
  summary: "propose undeclared dependencies",
  about: [
    "Looks at the processes of a service that run now and at all that they have started: shared libraries and their packages, open files, ports and " +
      "connections, names of variables (never values), mounts, names in DNS. Compares it with the file and proposes what to add, with what was seen, as a patch.",
    "Changes nothing and reaches nothing. What is proposed was seen at one moment: read it before you apply it. Processes of other users are seen by root only.",
  ],
  arguments: [serviceArgument],
  options: [{ name: "patch", about: "print the patch alone, for patch -p0" }],
  examples: [
    { line: "refloat discover shop", about: "what was seen, and what to add" },
    { line: "refloat discover shop --patch | patch -p0", about: "add it, in the folder of the file" },
  ],
  exits: [3, 4],
  input: z.object({ service: serviceInput, patch: z.boolean().default(false) }),
  act: async ({ service, patch }, { bench: open, output, signal }) => {
    const bench = await open();
    const found = await during(output, bench.clock, "looking at what runs", () => discover(bench, service, signal));
    const text = patch ? (found.patch ?? "").trimEnd() : renderDiscovery(found, output.screen(bench.host.timeZone));
    return answer("discover", found, text);
  },
});
