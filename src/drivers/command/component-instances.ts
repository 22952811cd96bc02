/** Restored instances of a `command` component: made by its tool, told by what that says and by what Refloat remembers, removed by it. */
import { dirname } from "node:path";
import type { InstanceOperations, InstanceTarget, Presence } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { validateFacts } from "./component-facts.ts";
import { instanceNameOf, retiredNameOf, stableNameOf } from "./component-names.ts";
import { type CommandComponentOptions, type CommandContext, isPath } from "./component-options.ts";
import { readInstanceRecord, removeInstanceRecord, writeInstanceRecord } from "../../platform/instance-record.ts";
import { toolOf } from "./tool-of.ts";

/** @throws RefloatError instance.exists when something is there that this run did not make */
const inspect = async (context: CommandContext, target: InstanceTarget): Promise<Presence> => {
  const record = await readInstanceRecord(context, target.name);
  const found = await toolOf(context).inspect(context, target.name);
  if (found === "absent") return "absent";
  if (record?.runUid !== target.runUid) {
    const why =
      record === null ? "this machine knows no run that made it" : `another installation's run ${record.run} made it`;
    throw new RefloatError("instance.exists", `${target.name} is there already, and ${why}`, {
      hint: "rename it if somebody needs it, drop it if nobody does, then resume",
    });
  }
  // The tool was killed, or did not read all of it: whatever it made is not whole.
  return record.state === "whole" ? found : "partial";
};

const restore: InstanceOperations<CommandComponentOptions>["restore"] = async (context, target, source, captured) => {
  context.signal.throwIfAborted();
  const tool = toolOf(context);
  await writeInstanceRecord(context, target, "begun");
  const { sizeBytes, units } = captured.facts;
  const progress = accumulateProgress(context.progress, { unit: "streams", bytesTotal: sizeBytes });
  async function* counted(name: string) {
    for await (const chunk of source.stream(`${captured.path}/${name}`)) {
      progress({ bytes: chunk.length, items: 0 });
      yield chunk;
    }
  }
  const streams = Object.entries(units).map(([name, unit]) => ({
    name,
    sizeBytes: unit.sizeBytes ?? 0,
    sha256: unit.sha256 ?? "",
    bytes: counted(name),
  }));
  const { warnings } = await tool.restore(context, target, streams);
  const found = await tool.inspect(context, target.name);
  if (found !== "done")
    throw new RefloatError(
      "program.failed",
      `the restore of ${context.component} ended well, and inspect says that ${target.name} is ${found}`,
    );
  await writeInstanceRecord(context, target, "whole");
  return { sizeBytes, summary: `into ${target.name}`, warnings };
};

/** @throws RefloatError target.failed when it is still there afterwards */
export const removePlace = async (context: CommandContext, name: string): Promise<void> => {
  const tool = toolOf(context);
  // A tool that is asked to drop what serves would do it.
  if (name === stableNameOf(context)) throw new RefloatError("bug", `${name} serves and was to be dropped`);
  if ((await tool.inspect(context, name)) !== "absent") {
    await tool.drop(context, name);
    const left = await tool.inspect(context, name);
    if (left !== "absent")
      throw new RefloatError("target.failed", `drop of ${context.component} ended well, and ${name} is still ${left}`);
  }
  await removeInstanceRecord(context, name);
};

export const commandInstances: InstanceOperations<CommandComponentOptions> = {
  name: async (context, run) => instanceNameOf(context, run),
  retiredName: async (context, run) => retiredNameOf(context, run),
  footprint: async (context, captured) => {
    const name = instanceNameOf(context, 0);
    return isPath(name) ? [{ path: dirname(name), bytes: Math.max(captured.facts.sizeBytes, 1) }] : [];
  },
  inspect,
  restore,
  outputs: (context, target) => toolOf(context).outputs(context, target.name),
  validate: (context, target, facts) => validateFacts(context, target.name, facts),
  drop: async (context, target) => {
    // Refuses what is not of this run.
    await inspect(context, target);
    await removePlace(context, target.name);
  },
};
