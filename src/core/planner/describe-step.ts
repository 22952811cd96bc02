/**
 * Says in a person's words what a step is called and what it does in this plan. Names of what a run will make come from the
 * drivers, by way of the input; sizes and counts from the point.
 */
import type { CheckDeclaration, CutoverDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { PlannedReplay, StepAction } from "../../model/plan.ts";
import { formatAmount, formatBytes, formatList } from "../text/quantity.ts";
import { describeNeeds } from "../run/approval-gate.ts";
import { shortName } from "../text/short-name.ts";
import { usersOf } from "../graph/users-of.ts";
import type { FailbackInput, LiveComponent, LiveProvision } from "./planner-input.ts";

export type StepWords = { readonly title: string; readonly what: string };

export type DescriptionFacts = {
  readonly service: ServiceDeclaration;
  readonly components: Readonly<Record<string, LiveComponent>>;
  /** What the point has of the recovered components; empty for an undo. */
  readonly captured: Readonly<Record<string, CapturedComponent>>;
  /** Components that go on from the point by their log. */
  readonly replays?: Readonly<Record<string, PlannedReplay>>;
  readonly provisions?: Readonly<Record<string, LiveProvision>>;
  /** Of a failback and of its undo: the side that was or will be left. */
  readonly away?: Pick<FailbackInput, "run" | "declaration" | "components">;
  /** Recovered components that the named one depends on. */
  readonly recoveredBelow: (component: string) => readonly string[];
  /** The names of a switch: what comes in and what the old side will be called. */
  readonly exchange: (component: string) => {
    readonly incoming: string;
    readonly outgoing: string;
    readonly toNothing?: true | undefined;
  };
};

/** `23 tables`, `5,012 files, 14 directories`. */
export const describeCounts = (captured: CapturedComponent): readonly string[] =>
  Object.entries(captured.facts.counts)
    .filter(([, count]) => count > 0)
    .slice(0, 2)
    .map(([unit, count]) => formatAmount(count, unit));

/** `http: /products/1`, `sql: select ...`: the kind's own key holds what is asked. */
const subjectOf = ({ kind, options }: CheckDeclaration | CutoverDeclaration): string => {
  const subject = options[kind];
  // Somebody may have written a password into a URL after all; a plan is printed, mailed and kept.
  return typeof subject === "string" ? subject.replaceAll(/\/\/[^/@\s]*@/g, "//") : kind;
};

const describeTraffic = (service: ServiceDeclaration): string =>
  formatList(service.cutover.map((entry) => `${entry.kind} ${subjectOf(entry)}`));

/** Rows can be exported, files named; of a whole server it is told how much was written. */
const lostTitles = { rows: "save lost rows", files: "list lost files", counts: "count lost writes" } as const;

export const holdsRows = (captured: CapturedComponent | undefined): boolean =>
  captured?.facts.counts["tables"] !== undefined;

const checksOf = (facts: DescriptionFacts, component: string): readonly string[] => {
  const count = facts.service.components[component]?.checks.length ?? 0;
  return count === 0 ? [] : [formatAmount(count, "checks")];
};

const releaseOf = (facts: DescriptionFacts, component: string, release: "kept" | "restored"): string => {
  const label = facts.components[component]?.release?.label;
  return release === "kept" && label !== undefined ? `${component} ${label}` : component;
};

const invariantsOf = ({
  invariants = [],
}: {
  readonly invariants?: readonly string[] | undefined;
}): readonly string[] => (invariants.length === 0 ? [] : [formatList(invariants.map((name) => `invariant ${name}`))]);

const describeTry = (facts: DescriptionFacts, action: Extract<StepAction, { readonly kind: "try" }>): string => {
  const { component } = action;
  const on = facts.recoveredBelow(component).map((name) => shortName(facts.components[name]?.names.instance ?? name));
  const port = facts.components[component]?.freePort ?? null;
  return [
    ...(on.length === 0 ? [] : [`on ${formatList(on)}`]),
    ...(port === null ? [] : [`port ${port}`]),
    ...checksOf(facts, component),
    ...invariantsOf(action),
  ].join(", ");
};

type Sided = { readonly side?: "away" | undefined };

const elsewhere = ({ side }: Sided): string => (side === "away" ? " elsewhere" : "");

const ofSide = ({ side }: Sided, { service, away }: DescriptionFacts): ServiceDeclaration =>
  side === "away" ? (away?.declaration ?? service) : service;

const describeCaptureAway = (
  { stage }: Extract<StepAction, { readonly kind: "capture" }>,
  { service, away }: DescriptionFacts,
): StepWords =>
  stage === "final"
    ? {
        title: "capture again elsewhere",
        what: "the last point, of what nobody writes to any more, if anything was written after the first",
      }
    : {
        title: "capture elsewhere",
        what: `a point of ${service.name} where run ${away?.run ?? "?"} recovered it, while users work there`,
      };

export const describeStep = (action: StepAction, facts: DescriptionFacts): StepWords => {
  const { service, components, captured } = facts;
  switch (action.kind) {
    case "capture":
      if (action.side === "away") return describeCaptureAway(action, facts);
      if (action.stage === "final")
        return { title: "capture again", what: "a second point, if anything was written after the first" };
      return { title: "capture", what: `a point of ${service.name} as it is now, before it is left` };
    case "provision":
      return { title: `provision ${action.provision}`, what: facts.provisions?.[action.provision]?.what ?? "" };
    case "teardown":
      return { title: `tear down ${action.provision}`, what: "if this recovery has made it" };
    case "restore": {
      const point = captured[action.component];
      const replay = facts.replays?.[action.component];
      const what = [
        ...(point === undefined ? [] : [formatBytes(point.sizeBytes), ...describeCounts(point)]),
        ...(replay === undefined ? [] : [`then its log to ${replay.place ?? replay.to}`]),
        `into ${holdsRows(point) ? "new database " : ""}${components[action.component]?.names.instance ?? action.component}`,
      ];
      if (action.stage === "final")
        return {
          title: `restore ${action.component} again`,
          what: `if anything was written meanwhile: ${what.join(", ")}`,
        };
      return { title: `restore ${action.component}`, what: what.join(", ") };
    }
    case "save-lost": {
      if (action.stage === "final")
        return { title: `settle ${action.component}`, what: "what was written until the switch; sequences go on" };
      return {
        title: lostTitles[components[action.component]?.capabilities.exportsWrites ?? "counts"],
        what: `of ${action.component}, written after the point`,
      };
    }
    case "check": {
      const point = captured[action.component];
      const units = point === undefined ? [] : describeCounts(point).slice(0, 1);
      if (action.stage === "final")
        return { title: `check ${action.component} again`, what: "if it was restored again" };
      const ran = components[action.component]?.capabilities.hasRuntime === true;
      return {
        title: `check ${action.component}`,
        what: [
          units.length === 0 ? "facts of the point" : `facts of ${units.join(", ")}`,
          // A process answers its checks only when it runs: they belong to `try` and `start`.
          ...(ran ? [] : checksOf(facts, action.component)),
        ].join(", "),
      };
    }
    case "check-invariant": {
      const declared = service.invariants[action.invariant];
      const [from] = Object.keys(declared?.every ?? {});
      const [to] = Object.keys(declared?.in ?? {});
      if (action.stage === "final")
        return { title: `check ${action.invariant} again`, what: "if either side was restored again" };
      return { title: `check ${action.invariant}`, what: `what ${from ?? "?"} names is in ${to ?? "?"}` };
    }
    case "migrate":
      return {
        title: `migrate for ${releaseOf(facts, action.component, action.release)}`,
        what: "its own migration, if its checks fail without it",
      };
    case "try":
      return {
        title: `try ${releaseOf(facts, action.component, action.release)}`,
        what: describeTry(facts, action),
      };
    case "approve": {
      const needs = describeNeeds(action);
      return { title: "approve", what: needs === "" ? action.reason : `${action.reason} (${needs})` };
    }
    case "manual":
      return {
        title: action.name,
        what: `by hand: ${action.do}${action.expect === undefined ? "" : `; expect: ${action.expect}`}`,
      };
    case "isolate": {
      const { name, command, proof, expect, unusable } = action;
      const word = `the word of a person${expect === undefined ? "" : ` who has seen: ${expect}`}`;
      return {
        title: `fence off ${name}`,
        what: [
          command !== undefined
            ? `by: ${command}; else ${word}`
            : proof === undefined
              ? word
              : `shown by: ${proof}; else ${word}`,
          ...(unusable === undefined ? [] : [`not as declared: ${unusable}`]),
        ].join("; "),
      };
    }
    case "wait":
      return {
        title: "wait",
        what: action.for === "served" ? "until users are on the new side" : `until everything is ${action.for}`,
      };
    case "hold":
      return { title: `hold traffic${elsewhere(action)}`, what: describeTraffic(ofSide(action, facts)) };
    case "fence":
      return {
        title: `stop ${action.component}${elsewhere(action)}`,
        what: action.side === "away" ? "proven to be gone" : "the old side, proven to be gone",
      };
    case "drop":
      return { title: `make room for ${action.component}`, what: "if it is restored again" };
    case "retire": {
      const { stable, retired } = facts.away?.components[action.component]?.names ?? {};
      const names = stable === undefined ? [] : [`${stable} > ${shortName(retired ?? "")}`];
      return {
        title: `put ${action.component} away elsewhere`,
        what: [...names, "closed, and nothing written after the last point"].join(", "),
      };
    }
    case "reinstate":
      return { title: `put ${action.component} back elsewhere`, what: "behind the name that it had" };
    case "switch": {
      const stable = shortName(components[action.component]?.names.stable ?? action.component);
      const { incoming, outgoing, toNothing } = facts.exchange(action.component);
      const absent = components[action.component]?.present === false;
      return {
        title: `switch ${action.component}`,
        what: [
          ...(absent ? [] : [`${stable} > ${shortName(outgoing)}`]),
          toNothing === true ? `nothing > ${stable}` : `${shortName(incoming)} > ${stable}`,
        ].join(", "),
      };
    }
    case "start":
      return {
        title: `start ${action.side === "away" ? action.component : releaseOf(facts, action.component, action.release)}${elsewhere(action)}`,
        what: ["bound to the stable names", ...checksOf(facts, action.component), ...invariantsOf(action)].join(", "),
      };
    case "reload":
      return { title: `reload ${action.component}`, what: "its reader is told of the switched files" };
    case "admit":
      return { title: `admit traffic${elsewhere(action)}`, what: describeTraffic(ofSide(action, facts)) };
    case "check-used":
      return {
        title: `ask ${action.component}`,
        what: [`used by ${formatList(usersOf(service, action.component))}`, ...checksOf(facts, action.component)].join(
          ", ",
        ),
      };
    case "probe": {
      const { probe } = ofSide(action, facts);
      return { title: `probe${elsewhere(action)}`, what: probe === undefined ? "" : subjectOf(probe) };
    }
    default:
      return action satisfies never;
  }
};
