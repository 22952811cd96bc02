/**
 * Provision by Terraform. It is there when the state holds something and the module wants nothing changed. A run applies only to an empty
 * state, exactly the plan that was shown, and destroys only a state that holds nothing but what it has made.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { BoundOutput, PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionOwner, ProvisionSight } from "../../core/ports/provision.ts";
import { formatList } from "../../core/text/quantity.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { redact } from "../../platform/shell-line.ts";
import { readMadeResources, removeMadeResources, writeMadeResources } from "./made-resources.ts";
import { type TerraformContext, askTerraform, failureOf, letTerraformAct } from "./run-terraform.ts";
import { type TerraformOptions, terraformSchema } from "./terraform-options.ts";

const lines = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** Downloads nothing new: versions are those of the module's own lock file. */
const init = (context: TerraformContext): Promise<unknown> =>
  askTerraform(context, ["init", "-input=false", "-no-color", "-lockfile=readonly"]);

/** `data.x.y`, of the root or of a module with or without a key. A module may be called `data` itself. */
const dataAddress = /^(module\.[^.[]+(\["(?:[^"\\]|\\.)*"\]|\[\d+\])?\.)*data\./;

/** Addresses of what the state holds. Data sources in it were only read. @throws RefloatError program.failed for a state that cannot be read */
const resources = async (context: TerraformContext): Promise<readonly string[]> => {
  const answer = await askTerraform(context, ["state", "list"], [0, 1]);
  if (answer.exitCode === 0) return lines(answer.stdout).filter((address) => !dataAddress.test(address));
  // A state that was never written is reported as an error and is an empty one. Of any other nothing is known.
  if (answer.stderr.includes("No state file was found")) return [];
  throw failureOf(context, "state list", answer);
};

const planFile = ({ workDirectory, component }: TerraformContext): string => join(workDirectory, `${component}.tfplan`);

/** @returns whether anything would be changed */
const makePlan = async (context: TerraformContext): Promise<boolean> => {
  const words = ["plan", "-input=false", "-no-color", "-lock=false", "-detailed-exitcode", `-out=${planFile(context)}`];
  const { exitCode } = await askTerraform(context, words, [0, 2]);
  return exitCode === 2;
};

const inspect = async (context: TerraformContext): Promise<ProvisionSight> => {
  await init(context);
  const there = await resources(context);
  if (there.length === 0) return { presence: "absent" };
  const made = await readMadeResources(context);
  const owner = made === null ? null : { run: made.run, runUid: made.runUid };
  const count = `${there.length} ${there.length === 1 ? "resource" : "resources"}`;
  if (made?.state === "begun")
    return { presence: "partial", owner, found: `${count} in the state, and its apply has not come to its end` };
  return (await makePlan(context))
    ? { presence: "partial", owner, found: `${count} in the state, and the module wants something else` }
    : { presence: "done", owner, found: `${count} in the state, as the module wants them` };
};

const makesNothing = ({ component }: TerraformContext): RefloatError =>
  new RefloatError("plan.impossible", `${component} is not there, and its module would make nothing`, {
    hint: "directory, workspace and variables say what a module makes: see what terraform plan shows",
  });

const preview: ProvisionDriver<TerraformOptions>["preview"] = async (context) => {
  await init(context);
  await makePlan(context);
  const { stdout, secrets } = await askTerraform(context, ["show", "-no-color", planFile(context)]);
  // A variable that the module does not call sensitive stands in its plan.
  const detail = redact(stdout, secrets).trim().split("\n");
  const summary = detail.findLast((line) => line.startsWith("Plan: "));
  if (summary === undefined) throw makesNothing(context);
  return { what: `terraform in ${context.options.directory}: ${summary.replace(/\.$/, "")}`, detail };
};

const changesSchema = z.object({
  resource_changes: z
    .array(z.object({ address: z.string(), mode: z.string(), change: z.object({ actions: z.array(z.string()) }) }))
    .default([]),
});

/** What the plan would make. @throws RefloatError plan.impossible when that is nothing, or it would touch what is there */
const planned = async (context: TerraformContext): Promise<readonly string[]> => {
  const { stdout } = await askTerraform(context, ["show", "-json", planFile(context)]);
  const changes = changesSchema
    .parse(JSON.parse(stdout))
    .resource_changes.filter(({ mode, change }) => mode === "managed" && !change.actions.includes("no-op"));
  const others = changes.filter(({ change }) => change.actions.some((action) => action !== "create"));
  if (changes.length === 0) throw makesNothing(context);
  if (others.length === 0) return changes.map(({ address }) => address);
  throw new RefloatError(
    "plan.impossible",
    `${context.component} would change what is there: ${formatList(others.map(({ address }) => address))}`,
    { hint: "a recovery makes what is missing and changes nothing else: apply the module by hand, then recover" },
  );
};

const lockTimeout = ({ options }: TerraformContext): string =>
  `-lock-timeout=${Math.ceil((parseDuration(options.lockTimeout ?? "10m") ?? 600_000) / 1000)}s`;

const apply = async (context: TerraformContext, owner: ProvisionOwner): Promise<{ readonly summary: string }> => {
  await init(context);
  // The one that was compared with what was shown, where the caller has just looked.
  if (!(await isThere(planFile(context)))) await makePlan(context);
  const addresses = await planned(context);
  await writeMadeResources(context, { ...owner, state: "begun", addresses });
  await letTerraformAct(context, [
    "apply",
    "-input=false",
    "-no-color",
    "-auto-approve",
    lockTimeout(context),
    planFile(context),
  ]);
  await writeMadeResources(context, { ...owner, state: "whole", addresses });
  return { summary: `${addresses.length} ${addresses.length === 1 ? "resource" : "resources"} made by terraform` };
};

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const destroy = async (context: TerraformContext, owner: ProvisionOwner): Promise<void> => {
  await init(context);
  const there = await resources(context);
  const made = await readMadeResources(context);
  const isOurs = made?.runUid === owner.runUid;
  if (there.length > 0 && !isOurs)
    throw new RefloatError(
      "instance.exists",
      `${context.component} is not torn down: ${made === null ? "this machine knows no run that made it" : `run ${made.run} made it`}`,
      { hint: "terraform destroy by hand, if nobody needs it" },
    );
  const foreign = there.filter((address) => made?.addresses.includes(address) !== true);
  if (foreign.length > 0)
    throw new RefloatError(
      "instance.exists",
      `${context.component} is not torn down: its state holds ${formatList(foreign)}, which run ${owner.run} has not made`,
      { hint: "remove by hand what nobody needs" },
    );
  // Also of an empty state: an apply that outlived its Refloat may hold the lock, and have more to write.
  if (isOurs) {
    await letTerraformAct(context, ["destroy", "-input=false", "-no-color", "-auto-approve", lockTimeout(context)]);
    const left = await resources(context);
    if (left.length > 0)
      throw new RefloatError("target.failed", `terraform destroy of ${context.component} has left ${formatList(left)}`);
    await removeMadeResources(context);
  }
};

const outputsSchema = z.record(z.string(), z.object({ sensitive: z.boolean(), value: z.json() }));

const read: ProvisionDriver<TerraformOptions>["read"] = async (context) => {
  const words = ["output", "-json", "-no-color"];
  // Asked at many references of a run: what was initialized once needs no network for it.
  let answer = await askTerraform(context, words, [0, 1]);
  if (answer.exitCode !== 0) {
    await init(context);
    answer = await askTerraform(context, words);
  }
  const { stdout, secrets } = answer;
  const outputs: Record<string, BoundOutput> = {};
  for (const [name, { sensitive, value }] of Object.entries(outputsSchema.parse(JSON.parse(stdout)))) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    // A value that holds what was given as a secret is one, whether the module says so or not.
    const isSecret = sensitive || secrets.some((secret) => secret !== "" && text.includes(secret));
    outputs[name] = { value: text, secret: isSecret };
  }
  return outputs;
};

const preflight = async (context: TerraformContext): Promise<PreflightReport> => {
  const { component: name, options } = context;
  const sight = await inspect(context);
  const found = sight.presence === "absent" ? "is not there: a recovery makes it" : sight.found;
  return {
    findings: [{ ok: sight.presence !== "partial", subject: `provision ${name}`, found }],
    commands: [],
    recoveryCommands: [
      `terraform -chdir=${options.directory} init`,
      `terraform -chdir=${options.directory} plan -out=PLAN`,
      `terraform -chdir=${options.directory} apply PLAN`,
    ],
    grants: [],
  };
};

export const terraformProvision: ProvisionDriver<TerraformOptions> = {
  type: "terraform",
  summary: "Whatever a Terraform module describes.",
  options: terraformSchema,
  // Only the module knows.
  outputs: () => null,
  preflight,
  preview,
  inspect,
  apply,
  read,
  destroy,
};
