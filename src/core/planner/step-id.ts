/** How steps are named within a plan: `restore:db`, `save-lost:db:final`, `hold`, `hold@away`. Unique, and the same in every plan of a service. */
import type { StepId } from "../../model/identifiers.ts";
import type { StepAction } from "../../model/plan.ts";
import { slugOf } from "../text/slug.ts";

export const stepIdOf = (action: StepAction): StepId =>
  `${textOf(action)}${"side" in action && action.side === "away" ? "@away" : ""}` as StepId;

const textOf = (action: StepAction): string => {
  switch (action.kind) {
    case "save-lost":
      return action.stage === "final" ? `save-lost:${action.component}:final` : `save-lost:${action.component}`;
    case "check-invariant":
      return `check-invariant:${action.invariant}${stageOf(action)}`;
    case "capture":
      return action.stage === undefined ? "capture" : `capture:${action.stage}`;
    case "manual":
      return `manual:${slugOf(action.name)}`;
    case "isolate":
      return `isolate:${slugOf(action.name)}`;
    case "wait":
      return `wait:${action.for}`;
    case "provision":
    case "teardown":
      return `${action.kind}:${action.provision}`;
    case "approve":
    case "hold":
    case "admit":
    case "probe":
      return action.kind;
    case "restore":
    case "check":
      return `${action.kind}:${action.component}${stageOf(action)}`;
    case "check-used":
    case "drop":
    case "retire":
    case "reinstate":
    case "migrate":
    case "try":
    case "fence":
    case "switch":
    case "start":
    case "reload":
      return `${action.kind}:${action.component}`;
    default:
      return action satisfies never;
  }
};

const stageOf = ({ stage }: { readonly stage?: "final" | undefined }): string =>
  stage === undefined ? "" : `:${stage}`;
