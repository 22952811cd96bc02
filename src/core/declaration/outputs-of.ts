/** Which outputs a component or an entry of `provision:` has: those of its driver, and those that it declares itself. */
import type { DriverRegistry, OutputDescription } from "../ports/driver.ts";
import type { ComponentDeclaration } from "../../model/declaration.ts";
import type { ServiceDraft } from "./service-draft.ts";

type Declared = Pick<ComponentDeclaration, "type" | "options">;
type Described = Readonly<Record<string, OutputDescription>>;

/** @returns undefined for a type that is not known, and where only the running tool knows */
export const outputsOf = (registry: DriverRegistry, { type, options }: Declared): Described | undefined => {
  const driver = registry.components.get(type);
  const declared = driver?.declaredOutputs?.(options);
  return driver === undefined || declared === null ? undefined : { ...driver.outputs, ...declared };
};

/** What `${name.output}` may name. */
export type Referent = {
  readonly section: "components" | "provision";
  readonly type: string;
  /** Undefined where they are not known. */
  readonly outputs: Described | undefined;
};

/** @returns undefined when the service has nothing of that name */
export const referentOf = (
  registry: DriverRegistry,
  { components, provision }: Pick<ServiceDraft, "components" | "provision">,
  name: string,
): Referent | undefined => {
  const component = Object.hasOwn(components, name) ? components[name] : undefined;
  if (component !== undefined)
    return { section: "components", type: component.type, outputs: outputsOf(registry, component) };
  const entry = Object.hasOwn(provision, name) ? provision[name] : undefined;
  if (entry === undefined) return undefined;
  const outputs = registry.provisions.get(entry.type)?.outputs(entry.options);
  return { section: "provision", type: entry.type, outputs: outputs ?? undefined };
};
