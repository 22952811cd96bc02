/** Outputs of a `command` component: its name, and what declared lines print for the place that it stands for. */
import type { BoundOutput, OutputDescription, Outputs } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type CommandComponentOptions, type CommandContext, commandComponentSchema } from "./component-options.ts";
import { about, runRawLine } from "./run-line.ts";

type DeclaredOutput = NonNullable<CommandComponentOptions["outputs"]>[string];

const lineOf = (declared: DeclaredOutput): string => (typeof declared === "string" ? declared : declared.line);
const isSecret = (declared: DeclaredOutput): boolean => typeof declared !== "string" && declared.secret;

export const fixedOutputs: Readonly<Record<string, OutputDescription>> = {
  name: { description: "The stable name, or that of the restored instance.", secret: false },
};

/** Those of a component as declared. */
export const declaredOutputs = (options: unknown): Readonly<Record<string, OutputDescription>> => {
  const read = commandComponentSchema.shape.outputs.safeParse((options as { outputs?: unknown }).outputs);
  return Object.fromEntries(
    Object.entries((read.success ? read.data : undefined) ?? {}).map(([name, declared]) => [
      name,
      { description: `What "${lineOf(declared)}" prints.`, secret: isSecret(declared) },
    ]),
  );
};

const ask = async (
  context: CommandContext,
  name: string,
  output: string,
  declared: DeclaredOutput,
): Promise<BoundOutput> => {
  const { stdout, secrets } = await runRawLine(context, {
    declared: lineOf(declared),
    what: `output ${output} of ${context.component}`,
    told: about(name),
    limit: "ask",
  });
  const value = stdout.replace(/\r?\n$/, "");
  // A value that holds what was given as a secret is one, whether that was declared or not.
  return { value, secret: isSecret(declared) || secrets.some((secret) => secret !== "" && value.includes(secret)) };
};

/** A line that fails, as it may where nothing runs, leaves its output out: who needs it is told that it is not there. */
export const outputsAt = async (context: CommandContext, name: string): Promise<Outputs> => {
  const outputs: Record<string, BoundOutput> = { name: { value: name, secret: false } };
  for (const [output, declared] of Object.entries(context.options.outputs ?? {})) {
    try {
      outputs[output] = await ask(context, name, output, declared);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
      context.log.warn(error.message, { component: context.component, output });
    }
  }
  return outputs;
};
