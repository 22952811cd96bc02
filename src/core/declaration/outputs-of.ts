/** Which outputs a component has: those of its driver, and those that it declares itself. */
import type { DriverRegistry, OutputDescription } from "../ports/driver.ts";
import type { ComponentDeclaration } from "../../model/declaration.ts";

type Declared = Pick<ComponentDeclaration, "type" | "options">;

/** @returns undefined for a type that is not known, and where only the running tool knows */
export const outputsOf = (
  registry: DriverRegistry,
  { type, options }: Declared,
): Readonly<Record<string, OutputDescription>> | undefined => {
  const driver = registry.components.get(type);
  const declared = driver?.declaredOutputs?.(options);
  return driver === undefined || declared === null ? undefined : { ...driver.outputs, ...declared };
};
