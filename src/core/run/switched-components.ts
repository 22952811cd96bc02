/** What a run's journal says about the names it has switched: needed to undo the run, and to drop its old side. */
import { type Position, positionSchema } from "../../model/facts.ts";
import type { JsonObject } from "../../model/json.ts";
import type { RunRecord } from "../../model/run.ts";

export type SwitchedComponent = {
  readonly component: string;
  /** The name that the new side had before the switch, and gets back when it is undone. */
  readonly incoming: string;
  /** Where the old side is kept. */
  readonly outgoing: string;
  /** Where the new side stood just after the switch, before its first write. */
  readonly newPosition: Position | null;
};

const prefix = "switch:";

export const switchedComponents = (run: RunRecord): readonly SwitchedComponent[] =>
  run.steps.flatMap(({ id, state, output }) =>
    id.startsWith(prefix) && state === "done" && output !== null ? [readSwitch(id.slice(prefix.length), output)] : [],
  );

const readSwitch = (component: string, output: JsonObject): SwitchedComponent => {
  const position = positionSchema.safeParse(output["newPosition"]);
  return {
    component,
    incoming: String(output["incoming"]),
    outgoing: String(output["outgoing"]),
    newPosition: position.success ? position.data : null,
  };
};

/** Folder of the release that each process component ran before the run fenced it. */
export const fencedReleases = (run: RunRecord): Readonly<Record<string, string>> =>
  Object.fromEntries(
    run.steps.flatMap(({ id, intent }) => {
      const release = intent?.["release"];
      return id.startsWith("fence:") && typeof release === "string" ? [[id.slice("fence:".length), release]] : [];
    }),
  );
