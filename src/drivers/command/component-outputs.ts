/** Which outputs a `command` component has: its name, and what it declares. What they hold is asked of its tool. */
import type { OutputDescription } from "../../core/ports/driver.ts";
import { commandComponentSchema } from "./component-options.ts";

export const fixedOutputs: Readonly<Record<string, OutputDescription>> = {
  name: { description: "The stable name, or that of the restored instance.", secret: false },
};

/** Those of a component as declared; null where only its plugin knows them. */
export const declaredOutputs = (options: unknown): Readonly<Record<string, OutputDescription>> | null => {
  const { outputs, plugin } = options as { readonly outputs?: unknown; readonly plugin?: unknown };
  return plugin === undefined ? outputsIn(outputs) : null;
};

/** Those that stand under `outputs:`. */
export const outputsIn = (outputs: unknown): Readonly<Record<string, OutputDescription>> => {
  const read = commandComponentSchema.shape.outputs.safeParse(outputs);
  return Object.fromEntries(
    Object.entries((read.success ? read.data : undefined) ?? {}).map(([name, declared]) => [
      name,
      typeof declared === "string"
        ? { description: `What "${declared}" prints.`, secret: false }
        : { description: `What "${declared.line}" prints.`, secret: declared.secret },
    ]),
  );
};
