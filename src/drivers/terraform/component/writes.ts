/** What was applied to a configuration's state since a position: a state's serial grows with each write, and its lineage is its own. */
import { nullWhenDown } from "../../../core/components/null-when-down.ts";
import type { WriteLedger } from "../../../core/ports/driver.ts";
import { z } from "zod";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runOf } from "./capture.ts";
import { configurationMark, otherStateFile, stateFile } from "./configuration.ts";
import { type StateFacts, backendOf, parseState, pullState } from "./state.ts";
import { type TerraformContext, type TerraformOptions, stablePathOf } from "./component-options.ts";

const markSchema = z.object({ lineage: z.string().nullable(), serial: z.int(), files: z.string() });

/** A restored or retired folder is read by its file; the live one as its backend says. */
const stateAt = async (context: TerraformContext, location: string | null): Promise<StateFacts> => {
  const stable = await stablePathOf(context);
  const folder = location ?? stable;
  if (folder === stable && !(await backendOf(stable)).isInFolder)
    return parseState(await pullState(await runOf(context, stable)), "target.failed");
  for (const name of [stateFile, otherStateFile]) {
    const text = await readFile(join(folder, name), "utf8").catch(() => null);
    if (text !== null) return parseState(text, "target.failed");
  }
  return parseState("", "target.failed");
};

const describe = (then: z.infer<typeof markSchema>, now: StateFacts): string | null => {
  if (then.lineage !== now.lineage) return "it is another state than the one of the position";
  if (then.serial === now.serial) return null;
  return `the state was written ${Math.abs(now.serial - then.serial)} times (serial ${then.serial}, now ${now.serial}); what was applied is not told`;
};

export const terraformWrites: WriteLedger<TerraformOptions> = {
  position: async (context, location) => {
    const takenAt = context.clock.now().toISOString();
    const { lineage, serial } = await stateAt(context, location);
    const files = await configurationMark(location ?? (await stablePathOf(context)), context.signal);
    return { takenAt, mark: { lineage, serial, files } };
  },

  writesSince: async (context, { location, since }) => {
    const then = markSchema.parse(since.mark);
    const found = describe(then, await stateAt(context, location));
    const files = await configurationMark(location ?? (await stablePathOf(context)), context.signal);
    return {
      lastWriteAt: null,
      units: [],
      gaps: [
        ...(found === null ? [] : [found]),
        ...(files === then.files
          ? []
          : ["files of the configuration were changed; which, is told by Git where they are kept in it (type: git)"]),
      ],
    };
  },

  // One that is damaged or gone is the usual reason for a recovery: nothing can be told then.
  estimateSince: (context, since) =>
    nullWhenDown(context.signal, async () => {
      const found = describe(markSchema.parse(since.mark), await stateAt(context, null));
      return { about: found ?? "nothing in the state", lastWriteAt: null };
    }),
};
