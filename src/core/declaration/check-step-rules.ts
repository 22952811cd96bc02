/** Looks at `steps:` and `limits:`: are there such steps, errors and resources, and can anything be done within what is allowed. */
import { errorCatalogue } from "../../model/error-catalogue.ts";
import { type StepAction, type StepKind, stepActionSchema } from "../../model/plan.ts";
import type { FenceDeclaration, ManualDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import type { StepRules } from "../../model/step-rules.ts";
import { stepIdOf } from "../planner/step-id.ts";
import { needsPeople } from "../run/skippable-steps.ts";
import { parseDuration } from "../time/duration.ts";
import { nearestWord } from "./nearest-word.ts";
import type { Reading } from "./reading.ts";
import { subjectText } from "./report-issues.ts";
import type { ServiceDraft } from "./service-draft.ts";
import type { JsonPath } from "./template.ts";

export const stepKinds: readonly StepKind[] = stepActionSchema.options.map(({ shape }) => shape.kind.value);

/** Of these no step fails. */
const metByNoStep = /^(interrupted|step\.effect-gone|notify\..*|trace\..*)$/;

/** Errors after which an attempt may be made again. */
export const retryableCodes: readonly string[] = Object.entries(errorCatalogue).flatMap(([code, { kind }]) =>
  kind === "retryable" && !metByNoStep.test(code) ? [code] : [],
);

type Common = Pick<ServiceDeclaration, "limits" | "steps"> & {
  readonly manual?: readonly ManualDeclaration[] | undefined;
  readonly fence?: readonly FenceDeclaration[] | undefined;
};

type Checking = {
  readonly reading: Reading;
  readonly service: JsonPath;
  readonly draft: ServiceDraft;
  readonly common: Common;
};

/** @returns false when something is wrong; then it has been reported */
export const checkStepRules = (
  reading: Reading,
  service: JsonPath,
  draft: ServiceDraft,
  common: Partial<Common>,
): boolean => {
  const checking: Checking = { reading, service, draft, common };
  const rules = Object.entries(common.steps ?? {}).map(([name, one]) => checkRules(checking, name, one));
  const kinds = Object.keys(common.limits?.kinds ?? {}).map((kind) => checkKind(checking, kind));
  return [...rules, ...kinds, checkResources(checking)].every(Boolean);
};

/** What a step of this kind can be about in the service, as far as it gives the step its name. */
const actionsOf = (kind: StepKind, { draft, common }: Checking): readonly StepAction[] => {
  const components = Object.keys(draft.components);
  switch (kind) {
    case "capture":
      return (["away", undefined] as const).flatMap((side) => [
        { kind, side },
        { kind, stage: "final", side },
      ]);
    case "provision":
      return Object.keys(draft.provision).map((provision) => ({ kind, provision }));
    case "teardown":
      return Object.values(draft.provision).flatMap(({ name, temporary }) =>
        temporary === true ? [{ kind, provision: name }] : [],
      );
    case "save-lost":
      return components.flatMap((component) => [
        { kind, component, stage: "early" },
        { kind, component, stage: "final" },
      ]);
    case "check-invariant":
      return Object.keys(draft.invariants).flatMap((invariant) => [
        { kind, invariant },
        { kind, invariant, stage: "final" },
      ]);
    case "manual":
      return (common.manual ?? []).map(({ name }) => ({ kind, name, do: "" }));
    case "isolate":
      return (common.fence ?? []).map(({ name }) => ({ kind, name }));
    case "wait":
      return [
        { kind, for: "validated" },
        { kind, for: "fenced" },
        { kind, for: "switched" },
        { kind, for: "served" },
      ];
    case "approve":
      return [{ kind, reason: "" }];
    case "hold":
    case "admit":
    case "probe":
      return [{ kind }, { kind, side: "away" }];
    case "migrate":
    case "try":
      return components.map((component) => ({ kind, component, release: "kept" }));
    case "start":
      return components.flatMap((component) => [
        { kind, component, release: "kept" },
        { kind, component, release: "kept", side: "away" },
      ]);
    case "restore":
    case "check":
      return components.flatMap((component): readonly StepAction[] => [
        { kind, component },
        { kind, component, stage: "final" },
      ]);
    case "fence":
      return components.flatMap((component) => [
        { kind, component },
        { kind, component, side: "away" },
      ]);
    case "check-used":
    case "drop":
    case "retire":
    case "reinstate":
    case "switch":
    case "reload":
      return components.map((component) => ({ kind, component }));
    default:
      return kind satisfies never;
  }
};

const checkRules = (checking: Checking, name: string, rules: StepRules): boolean => {
  const { reading, service } = checking;
  const path = [...service, "steps", name];
  const kinds = new Map<string, StepKind>(stepKinds.map((kind) => [kind, kind]));
  for (const kind of stepKinds) for (const action of actionsOf(kind, checking)) kinds.set(stepIdOf(action), kind);
  const kind = kinds.get(name);
  if (kind === undefined) {
    const known = [...kinds.keys()];
    const nearest = nearestWord(name, known);
    reading.atKey(
      path,
      {
        code: "config.bad-value",
        message: `${subjectText([...service, "steps"])} names "${name}", which no step of ${checking.draft.name} is called`,
        hint:
          nearest === undefined
            ? `a kind of step (${stepKinds.join(", ")}), or one step: restore:${Object.keys(checking.draft.components)[0] ?? "db"}`
            : `did you mean "${nearest}"?`,
      },
      path.slice(0, -1),
    );
    return false;
  }
  return [
    checkSpan(checking, [...path, "timeout"], rules.timeout),
    checkSpan(checking, [...path, "heartbeat"], rules.heartbeat),
    checkHeartbeat(checking, [...path, "heartbeat"], kind, rules.heartbeat),
    checkBackoff(checking, [...path, "backoff"], rules.backoff),
    checkRetries(checking, [...path, "retries"], rules.retries),
  ].every(Boolean);
};

const checkSpan = ({ reading }: Checking, path: JsonPath, text: string | undefined): boolean => {
  if (text === undefined || (parseDuration(text) ?? 0) > 0) return true;
  reading.atValue(path, {
    code: "config.bad-value",
    message: `${subjectText(path)} cannot be "${text}"`,
    hint: "nothing is done in no time; leave it out for the default",
  });
  return false;
};

const checkHeartbeat = (
  { reading }: Checking,
  path: JsonPath,
  kind: StepKind,
  heartbeat: string | undefined,
): boolean => {
  if (heartbeat === undefined || !needsPeople(kind)) return true;
  reading.atKey(path, {
    code: "config.bad-value",
    message: `${kind} has no heartbeat: a person who thinks shows no progress`,
    hint: "timeout says how long a person is waited for",
  });
  return false;
};

const checkBackoff = ({ reading }: Checking, path: JsonPath, backoff: StepRules["backoff"]): boolean => {
  const [first, longest] = [parseDuration(backoff?.first ?? ""), parseDuration(backoff?.longest ?? "")];
  if (first === undefined || longest === undefined || first <= longest) return true;
  reading.atValue([...path, "longest"], {
    code: "config.bad-value",
    message: `${subjectText([...path, "longest"])} is ${backoff?.longest}, shorter than the first pause of ${backoff?.first}`,
    hint: "the pause doubles from first up to longest",
  });
  return false;
};

const checkRetries = ({ reading }: Checking, path: JsonPath, retries: StepRules["retries"]): boolean => {
  if (retries === undefined || typeof retries === "number") return true;
  const wrong = Object.keys(retries).filter((code) => code !== "other" && !retryableCodes.includes(code));
  for (const code of wrong) {
    const isCode = Object.hasOwn(errorCatalogue, code);
    const nearest = nearestWord(code, [...retryableCodes, "other"]);
    reading.atKey(
      [...path, code],
      {
        code: "config.bad-value",
        message: isCode
          ? `after ${code} a step is never made again: it would fail in the same way`
          : `there is no error "${code}"`,
        hint:
          nearest === undefined || isCode
            ? `there are ${retryableCodes.join(", ")} and other`
            : `did you mean "${nearest}"?`,
      },
      path,
    );
  }
  return wrong.length === 0;
};

const checkKind = ({ reading, service }: Checking, kind: string): boolean => {
  if ((stepKinds as readonly string[]).includes(kind)) return true;
  const path = [...service, "limits", "kinds", kind];
  const nearest = nearestWord(kind, stepKinds);
  reading.atKey(
    path,
    {
      code: "config.bad-value",
      message: `there is no kind of step "${kind}"`,
      hint: nearest === undefined ? `kinds: ${stepKinds.join(", ")}` : `did you mean "${nearest}"?`,
    },
    path.slice(0, -1),
  );
  return false;
};

/** A resource without a limit would limit nothing, and one that nobody uses is a slip of the pen. */
const checkResources = ({ reading, service, draft, common }: Checking): boolean => {
  const declared = Object.keys(common.limits?.resources ?? {});
  const used = new Set<string>();
  let whole = true;
  for (const component of Object.values(draft.components)) {
    for (const [index, name] of (component.resources ?? []).entries()) {
      used.add(name);
      if (name === "" || declared.includes(name)) continue;
      whole = false;
      const nearest = nearestWord(name, declared);
      reading.atValue([...service, "components", component.name, "resources", index], {
        code: "config.bad-value",
        message: `limits: says nothing of the resource "${name}"`,
        hint: nearest === undefined ? `write limits: { resources: { ${name}: 1 } }` : `did you mean "${nearest}"?`,
      });
    }
  }
  for (const name of declared) {
    if (used.has(name)) continue;
    whole = false;
    const path = [...service, "limits", "resources", name];
    reading.atKey(
      path,
      {
        code: "config.bad-value",
        message: `no component uses the resource "${name}"`,
        hint: `write resources: [${name}] in those that do`,
      },
      path.slice(0, -1),
    );
  }
  return whole;
};
