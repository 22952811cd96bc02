/** New sides that a run has restored and not put into service: they take room, and a server among them its port, until a cancel removes them. */
import type { RunRecord, RunState } from "../../model/run.ts";
import { hasBegun } from "./resume-rules.ts";

export type SideBeside = {
  readonly component: string;
  readonly name: string;
  /** Its switch has begun, and nothing tells that it was made or taken back. */
  readonly unsure: boolean;
  /** What its restore has said, with the port of a server; null before its end. */
  readonly restored: string | null;
};

const prefix = "restore:";

const textIn = (data: unknown, key: string): string | null => {
  const value: unknown = typeof data === "object" && data !== null ? Reflect.get(data, key) : undefined;
  return typeof value === "string" ? value : null;
};

export const sidesBeside = (record: RunRecord): readonly SideBeside[] => {
  if (record.state === "cancelled") return [];
  return record.steps.flatMap(({ id, intent, output, state }) => {
    const component = id.slice(prefix.length);
    const name = textIn(intent, "instance");
    const change = record.steps.find((step) => step.id === `switch:${component}`);
    if (!id.startsWith(prefix) || name === null || change?.state === "done" || state === "compensated") return [];
    return [
      {
        component,
        name,
        unsure: change !== undefined && hasBegun(change),
        restored: state === "done" ? textIn(output, "summary") : null,
      },
    ];
  });
};

/** It has ended, and somebody's look at what it has restored is all that is left: a rehearsal, or what an undo of itself has left. */
const leavesBeside: ReadonlySet<RunState> = new Set(["succeeded", "undone"]);

/** Of a run that waits for nothing any more. */
export const rehearsedSides = (record: RunRecord): readonly SideBeside[] =>
  leavesBeside.has(record.state) && record.purpose === "recover" ? sidesBeside(record) : [];
