/** What is provisioned before anything is restored, and what of it is torn down when the recovery has ended. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import { type Json, toJsonObject } from "../../model/json.ts";
import { declaredTexts } from "../declaration/declared-texts.ts";
import { sideOf } from "../invariants/invariant-sides.ts";
import { findReferences } from "../declaration/template.ts";
import { sha256Of } from "./plan-digest.ts";
import type { ComponentOrder } from "./component-order.ts";
import type { LiveProvision } from "./planner-input.ts";
import type { StepDraft } from "./step-draft.ts";

const referredTo = (value: unknown, service: ServiceDeclaration): readonly string[] =>
  findReferences(toJsonObject({ value })).flatMap(({ part }) =>
    part.kind === "output" && service.provision?.[part.component] !== undefined ? [part.component] : [],
  );

type ReferredProvisions = {
  /** What the component refers to itself. */
  readonly own: (component: string) => readonly string[];
  /** All that it must have to be bound: also what those that it depends on refer to. */
  readonly all: (component: string) => readonly string[];
};

/** Reads each component's texts once, and none where nothing is provisioned. */
const referredProvisions = (service: ServiceDeclaration, order: ComponentOrder): ReferredProvisions => {
  const known = new Map<string, readonly string[]>();
  if (service.provision !== undefined)
    for (const [name, { options, checks }] of Object.entries(service.components)) {
      const referred = referredTo([options, checks], service);
      if (referred.length > 0) known.set(name, referred);
    }
  const own = (component: string): readonly string[] => known.get(component) ?? [];
  const all = (component: string): readonly string[] =>
    known.size === 0 ? [] : [component, ...order.dependenciesOf(component)].flatMap(own);
  return { own, all };
};

/** What an entry names itself, and what its checks do. */
const referredBy = (entry: string, service: ServiceDeclaration): readonly string[] => {
  const { options = {}, checks = [] } = service.provision?.[entry] ?? {};
  return referredTo([options, checks], service).filter((name) => name !== entry);
};

/** Of invariants those that are asked of what is touched. */
const textsOfTheWhole = (service: ServiceDeclaration, touched: readonly string[]): readonly Json[] => {
  const isAsked = (name: string | null): boolean => {
    const { every = {}, in: within = {} } = service.invariants[name ?? ""] ?? {};
    return touched.includes(sideOf(every)) || touched.includes(sideOf(within));
  };
  return declaredTexts(service).flatMap(({ section, name, value }) => {
    if (section === "components" || section === "provision") return [];
    return section === "invariants" && !isAsked(name) ? [] : [value];
  });
};

/** @param touched components that are restored or started */
export const neededProvisions = (
  service: ServiceDeclaration,
  order: ComponentOrder,
  touched: readonly string[],
): readonly string[] => {
  const { provision, components } = service;
  if (provision === undefined) return [];
  const referred = referredProvisions(service, order);
  const anywhere = new Set(Object.keys(components).flatMap(referred.own));
  const here = new Set([...touched.flatMap(referred.all), ...referredTo(textsOfTheWhole(service, touched), service)]);
  const names = Object.keys(provision);
  const wanted = new Set(names.filter((name) => here.has(name) || !anywhere.has(name)));
  // One that another one needs stands before it in the file.
  for (const name of names.toReversed())
    if (wanted.has(name)) for (const other of referredBy(name, service)) wanted.add(other);
  return names.filter((name) => wanted.has(name));
};

export type Provisioning = {
  /** What must be done before the component can be bound. */
  readonly before: (component: string) => readonly StepId[];
};

type Planned = {
  readonly service: ServiceDeclaration;
  readonly order: ComponentOrder;
  readonly names: readonly string[];
  readonly seen: Readonly<Record<string, LiveProvision>>;
};

export const addProvisions = (
  draft: StepDraft,
  { service, order, names, seen }: Planned,
  prepared: readonly StepId[],
): Provisioning => {
  if (names.length === 0) return { before: () => [] };
  const steps = new Map<string, StepId>();
  const of = (others: readonly string[]): readonly StepId[] => others.flatMap((name) => steps.get(name) ?? []);
  for (const name of names) {
    const detail = seen[name]?.detail ?? [];
    const action = {
      kind: "provision",
      provision: name,
      ...(seen[name]?.presence === "done" ? { found: true as const } : {}),
      // What was shown in full is part of what is agreed to.
      ...(detail.length === 0 ? {} : { shown: sha256Of(detail.join("\n")) }),
    } as const;
    const needs = [...prepared, ...of(referredBy(name, service))];
    steps.set(name, draft.add("restore", action, needs));
  }
  const referred = referredProvisions(service, order);
  const named = new Set(
    referredTo(
      declaredTexts(service).map(({ value }) => value),
      service,
    ),
  );
  // What no text names is there for all, as packages of the system are.
  const ofAll = of(names.filter((name) => !named.has(name)));
  return { before: (component) => [...ofAll, ...of(referred.all(component))] };
};

/** After everything else: a person may want to look at what failed. */
export const addTeardowns = (
  draft: StepDraft,
  service: ServiceDeclaration,
  names: readonly string[],
  phase: "validate" | "prove",
): void => {
  const temporary = names.filter((name) => service.provision?.[name]?.temporary === true);
  // What refers to another one goes before it.
  for (const name of temporary.toReversed()) draft.add(phase, { kind: "teardown", provision: name }, draft.all());
};
