/** Restored instances of a `command` component: made by its restore line, told by inspect and by what Refloat remembers, removed by drop. */
import { dirname } from "node:path";
import type { InstanceOperations, InstanceTarget, Presence } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { openShellPipe } from "../../platform/shell-pipe.ts";
import { dataPath } from "./capture-component.ts";
import { validateFacts } from "./component-facts.ts";
import { instanceNameOf, retiredNameOf } from "./component-names.ts";
import { type CommandComponentOptions, type CommandContext, dataTimeoutMs, isPath } from "./component-options.ts";
import { outputsAt } from "./component-outputs.ts";
import { readInstanceRecord, removeInstanceRecord, writeInstanceRecord } from "./instance-record.ts";
import { type Told, about, askLine, bindLine, runLine } from "./run-line.ts";

const presences: ReadonlySet<string> = new Set<Presence>(["absent", "partial", "done"]);

/** What the tool says of a place, whoever made it. @throws RefloatError program.failed */
export const lookAtPlace = async (context: CommandContext, name: string, more: Told = {}): Promise<Presence> => {
  const said = await askLine(context, "inspect", { ...about(name), ...more });
  if (presences.has(said)) return said as Presence;
  throw new RefloatError(
    "program.failed",
    `inspect of ${context.component} says ${said === "" ? "nothing" : `"${said.slice(0, 200)}"`} of ${name}, which is none of absent, partial and done`,
  );
};

const ofRun = ({ name, run, runUid }: InstanceTarget): Told => ({
  ...about(name),
  REFLOAT_RUN: String(run),
  REFLOAT_RUN_UID: runUid,
});

/** @throws RefloatError instance.exists when something is there that this run did not make */
const inspect = async (context: CommandContext, target: InstanceTarget): Promise<Presence> => {
  const record = await readInstanceRecord(context, target.name);
  const found = await lookAtPlace(context, target.name, ofRun(target));
  if (found === "absent") return "absent";
  if (record?.runUid !== target.runUid) {
    const why =
      record === null ? "this machine knows no run that made it" : `another installation's run ${record.run} made it`;
    throw new RefloatError("instance.exists", `${target.name} is there already, and ${why}`, {
      hint: "rename it if somebody needs it, drop it if nobody does, then resume",
    });
  }
  // The line was killed, or did not read all of it: whatever it made is not whole.
  return record.state === "whole" ? found : "partial";
};

const restore: InstanceOperations<CommandComponentOptions>["restore"] = async (context, target, source, captured) => {
  const { component, options, signal } = context;
  signal.throwIfAborted();
  await writeInstanceRecord(context, target, "begun");
  const what = `restore of ${component}`;
  const { line, settings } = await bindLine(context, options.restore, what, ofRun(target));
  const timeoutMs = dataTimeoutMs(options);
  const { sizeBytes } = captured.facts;
  const progress = accumulateProgress(context.progress, { unit: "streams", bytesTotal: sizeBytes });
  async function* counted() {
    for await (const chunk of source.stream(dataPath(captured.path))) {
      progress({ bytes: chunk.length, items: 0 });
      yield chunk;
    }
  }
  const pipe = openShellPipe(line, { ...settings, what, isFed: true, ...(timeoutMs === null ? {} : { timeoutMs }) });
  try {
    await pipe.feed(counted());
    await pipe.seal();
  } finally {
    pipe.close();
  }
  const found = await lookAtPlace(context, target.name, ofRun(target));
  if (found !== "done")
    throw new RefloatError(
      "program.failed",
      `the ${what} ended well, and inspect says that ${target.name} is ${found}`,
    );
  await writeInstanceRecord(context, target, "whole");
  return { sizeBytes, summary: `into ${target.name}`, warnings: [] };
};

/** @throws RefloatError target.failed when it is still there afterwards */
export const removePlace = async (context: CommandContext, name: string): Promise<void> => {
  if ((await lookAtPlace(context, name)) !== "absent") {
    await runLine(context, "drop", about(name), "act");
    const left = await lookAtPlace(context, name);
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
  outputs: (context, target) => outputsAt(context, target.name),
  validate: (context, target, facts) => validateFacts(context, target.name, facts),
  drop: async (context, target) => {
    // Refuses what is not of this run.
    await inspect(context, target);
    await removePlace(context, target.name);
  },
};
