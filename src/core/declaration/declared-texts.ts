/**
 * The texts of a service in which references are read, each with where it stands: the one list for whoever asks what a service needs, so that
 * nobody forgets a section.
 */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { type Json, toJsonObject } from "../../model/json.ts";
import type { JsonPath } from "./template.ts";

export type DeclaredText = {
  readonly section: "components" | "provision" | "cutover" | "manual" | "probe" | "fence" | "quiesce" | "invariants";
  /** Of the component, the entry of `provision:` or the invariant; null where the service as a whole says it. */
  readonly name: string | null;
  /** Below the service, as in the file. */
  readonly path: JsonPath;
  readonly value: Json;
};

export type Texts = Pick<ServiceDeclaration, "components"> &
  Partial<Pick<ServiceDeclaration, Exclude<DeclaredText["section"], "components">>>;

type Named = Pick<ServiceDeclaration["components"][string], "options" | "checks">;

export const declaredTexts = (service: Texts): readonly DeclaredText[] => {
  const {
    provision = {},
    components,
    cutover = [],
    manual = [],
    probe,
    fence = [],
    quiesce,
    invariants = {},
  } = service;
  const named = (section: "components" | "provision", entries: Readonly<Record<string, Named>>) =>
    Object.entries(entries).flatMap(([name, { options, checks }]): DeclaredText[] => [
      { section, name, path: [section, name], value: options },
      ...checks.map((check, at) => ({ section, name, path: [section, name, "checks", at], value: check.options })),
    ]);
  const listed = (section: "cutover" | "manual" | "fence", entries: readonly Json[]) =>
    entries.map((value, at): DeclaredText => ({ section, name: null, path: [section, at], value }));
  return [
    ...named("components", components),
    ...listed(
      "cutover",
      cutover.map(({ options, to }) => ({ ...options, to: to ?? "" })),
    ),
    ...listed("manual", manual.map(toJsonObject)),
    ...(probe === undefined ? [] : [{ section: "probe" as const, name: null, path: ["probe"], value: probe.options }]),
    ...named("provision", provision),
    ...listed("fence", fence.map(toJsonObject)),
    ...(quiesce === undefined
      ? []
      : [{ section: "quiesce" as const, name: null, path: ["quiesce"], value: toJsonObject(quiesce) }]),
    ...Object.entries(invariants).flatMap(([name, sides]) =>
      (["every", "in"] as const).flatMap((side) =>
        // What a component's own driver is asked is taken as it is.
        Object.entries(sides[side]).flatMap(([component, asked]): readonly DeclaredText[] =>
          typeof asked === "string"
            ? []
            : [{ section: "invariants", name, path: ["invariants", name, side, component], value: asked.options }],
        ),
      ),
    ),
  ];
};
