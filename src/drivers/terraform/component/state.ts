/**
 * What is known of a state without what it holds: values of outputs and attributes are secrets, and stay in the file. The format is version 4
 * (Terraform since 0.12).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RefloatError } from "../../../model/refloat-error.ts";
import { runTerraform, type TerraformRun } from "./run-configuration.ts";

const stateFileSchema = z.object({
  version: z.literal(4),
  terraform_version: z.string(),
  serial: z.int(),
  lineage: z.string(),
  outputs: z.record(z.string(), z.unknown()).default({}),
  resources: z
    .array(z.object({ mode: z.string(), type: z.string(), instances: z.array(z.unknown()).default([]) }))
    .default([]),
});

export const stateFactsSchema = z.object({
  /** Null for a configuration that was never applied. */
  lineage: z.string().nullable(),
  serial: z.int(),
  /** Of the program that wrote it last; null without a state. */
  writtenBy: z.string().nullable(),
  outputs: z.int(),
  /** Instances of managed resources, by type. */
  resources: z.record(z.string(), z.int()),
});
export type StateFacts = z.infer<typeof stateFactsSchema>;

/** @throws RefloatError with `code` when it is no state; no message holds a part of it */
export const parseState = (
  text: string,
  code: "source.unsupported" | "point.damaged" | "target.failed",
): StateFacts => {
  if (text.trim() === "") return { lineage: null, serial: 0, writtenBy: null, outputs: 0, resources: {} };
  let parsed: z.infer<typeof stateFileSchema>;
  try {
    parsed = stateFileSchema.parse(JSON.parse(text));
  } catch {
    // What was wrong with it may quote it.
    throw new RefloatError(code, "the state is not one of version 4 of Terraform's format");
  }
  const resources: Record<string, number> = {};
  for (const { mode, type, instances } of parsed.resources)
    if (mode === "managed") resources[type] = (resources[type] ?? 0) + instances.length;
  const { lineage, serial, terraform_version: writtenBy, outputs } = parsed;
  return { lineage, serial, writtenBy, outputs: Object.keys(outputs).length, resources };
};

export const resourceCount = ({ resources }: StateFacts): number =>
  Object.values(resources).reduce((sum, count) => sum + count, 0);

/** @throws RefloatError source.failed; what the program says of a state is not repeated */
export const pullState = async (run: TerraformRun): Promise<string> => {
  try {
    const text = (await runTerraform(run, ["state", "pull"])).trim();
    // As it stands in a file: it is printed with a line more.
    return text === "" ? "" : `${text}\n`;
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    throw new RefloatError("source.failed", `the state of ${run.folder} cannot be pulled: ${error.message}`, {
      cause: error,
      state: "no point was made",
      hint: "was terraform init run in that folder? environment: gives it what its backend asks for",
    });
  }
};

/** `local`, `s3`, ...: where the state of an initialised folder is kept, and whether that is the file of the folder itself. */
export const backendOf = async (folder: string): Promise<{ readonly type: string; readonly isInFolder: boolean }> => {
  const text = await readFile(join(folder, ".terraform", "terraform.tfstate"), "utf8").catch(() => null);
  if (text === null) return { type: "local", isInFolder: true };
  const schema = z.object({
    backend: z.object({ type: z.string(), config: z.looseObject({ path: z.string().nullish() }).nullish() }).optional(),
  });
  const { backend } = schema.parse(JSON.parse(text));
  const type = backend?.type ?? "local";
  const path = backend?.config?.path ?? "terraform.tfstate";
  return { type, isInFolder: type === "local" && path === "terraform.tfstate" };
};
