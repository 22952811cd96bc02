/** Outputs of the component that is asked, as variables of a declared line or program: REFLOAT_URL, REFLOAT_PATH. */
import type { Outputs } from "../../core/ports/driver.ts";

const variableName = (output: string): string => `REFLOAT_${output.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;

export const outputVariables = (
  outputs: Outputs,
): { readonly variables: Readonly<Record<string, string>>; readonly secrets: readonly string[] } => {
  const entries = Object.entries(outputs);
  return {
    variables: Object.fromEntries(entries.map(([name, { value }]) => [variableName(name), value])),
    secrets: entries.filter(([, { secret }]) => secret).map(([, { value }]) => value),
  };
};
