/**
 * The terraform check: does the program accept the configuration, and does its state agree with it? Neither asks what really runs (`-refresh=false`),
 * and nothing is written: no lock, no lock file, working files in a folder that goes. The program is run as the component declares it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { CheckContext, CheckDriver, Outputs } from "../../../core/ports/driver.ts";
import type { CheckOutcome } from "../../../model/outcome.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { bindEnvironment } from "../../../platform/bound-environment.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { terraformOptionsSchema } from "./component-options.ts";
import { otherStateFile } from "./configuration.ts";
import { type TerraformRun, askTerraform } from "./run-configuration.ts";

const optionsSchema = z
  .strictObject({
    terraform: z.enum(["validate", "plan"]).meta({
      description:
        "validate: the program accepts the configuration. plan: and its state is what it says, so nothing would be changed.",
    }),
    program: z.string().min(1).optional().meta({ description: "The program: the component's when left out." }),
  })
  .meta({ description: "A configuration is accepted, or agrees with its state." });
type TerraformCheckOptions = z.infer<typeof optionsSchema>;

export type Judgement = { readonly status: CheckOutcome["status"]; readonly found: string };

const initialise = async (run: TerraformRun, withBackend: boolean): Promise<Judgement | null> => {
  const { exitCode, said } = await askTerraform(run, [
    "init",
    "-input=false",
    "-no-color",
    "-lockfile=readonly",
    ...(withBackend ? [] : ["-backend=false"]),
  ]);
  // Providers come from a registry, and modules from anywhere: where those are not reached nothing is proven either way.
  return exitCode === 0 ? null : { status: "skipped", found: `terraform init: ${said}` };
};

const validationSchema = z.object({
  valid: z.boolean(),
  diagnostics: z.array(z.object({ severity: z.string(), summary: z.string() })).default([]),
});

/** @throws RefloatError program.missing */
export const validateConfiguration = async (run: TerraformRun): Promise<Judgement> => {
  const refused = await initialise(run, false);
  if (refused !== null) return refused;
  const { stdout, said } = await askTerraform(run, ["validate", "-json"]);
  const parsed = validationSchema.safeParse(JSON.parse(stdout === "" ? "{}" : stdout));
  if (!parsed.success) return { status: "failed", found: `terraform validate: ${said}` };
  const { valid, diagnostics } = parsed.data;
  const errors = diagnostics.filter(({ severity }) => severity === "error").map(({ summary }) => summary);
  return valid ? { status: "passed", found: "valid" } : { status: "failed", found: errors.join("; ") };
};

const changes = 2;

/** Its summary alone: a plan may quote values. */
const summaryOf = (stdout: string): string => /^Plan: .*$/m.exec(stdout)?.[0] ?? "the outputs would change";

const planConfiguration = async (run: TerraformRun): Promise<Judgement> => {
  if (await pathExists(join(run.folder, otherStateFile)))
    return { status: "skipped", found: "its state is kept in a backend: a plan would ask that of the live side" };
  const refused = await initialise(run, true);
  if (refused !== null) return refused;
  const { exitCode, stdout, said } = await askTerraform(run, [
    "plan",
    "-detailed-exitcode",
    "-refresh=false",
    "-lock=false",
    "-input=false",
    "-no-color",
  ]);
  if (exitCode === 0) return { status: "passed", found: "state and configuration agree" };
  return { status: "failed", found: exitCode === changes ? summaryOf(stdout) : `terraform plan: ${said}` };
};

const runTerraformCheck = async (context: CheckContext, options: TerraformCheckOptions): Promise<CheckOutcome> => {
  const beganMs = context.clock.monotonicMs();
  const outcome = ({ status, found }: Judgement): CheckOutcome => ({
    subject: `terraform: ${options.terraform}`,
    kind: "terraform",
    ...(context.component === null ? {} : { component: context.component }),
    status,
    found,
    durationMs: context.clock.monotonicMs() - beganMs,
  });
  const folder = context.outputs["path"]?.value;
  if (folder === undefined) return outcome({ status: "failed", found: "the component has no path" });
  const limit = AbortSignal.timeout(context.timeoutMs);
  const dataFolder = await mkdtemp(join(tmpdir(), "refloat-terraform-"));
  try {
    // A folder that is declared as another type has no words for the program.
    const declared = terraformOptionsSchema.safeParse(context.declared).data;
    const run: TerraformRun = {
      program: options.program ?? declared?.program ?? "terraform",
      folder,
      signal: AbortSignal.any([context.signal, limit]),
      marker: context.marker,
      environment: await bindEnvironment(context.bind, declared?.environment),
      dataFolder,
    };
    return outcome(await (options.terraform === "plan" ? planConfiguration(run) : validateConfiguration(run)));
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted) return outcome({ status: "failed", found: `no answer in ${context.timeoutMs / 1_000} s` });
    if (error instanceof RefloatError && error.code !== "bug")
      return outcome({ status: "failed", found: error.message });
    throw error;
  } finally {
    await rm(dataFolder, { recursive: true, force: true });
  }
};

const hasPath = ({ path }: Outputs): boolean => path !== undefined;

export const terraformCheck: CheckDriver<TerraformCheckOptions> = {
  kind: "terraform",
  summary: "A Terraform configuration is accepted, or agrees with its state.",
  options: optionsSchema,
  answers: hasPath,
  run: runTerraformCheck,
};
