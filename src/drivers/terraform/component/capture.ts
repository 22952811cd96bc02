/** Capture of a configuration with its state: the state as the backend gives it, before and after the files are read. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ComponentDriver } from "../../../core/ports/driver.ts";
import { toJsonObject } from "../../../model/json.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { accumulateProgress } from "../../../platform/accumulate-progress.ts";
import { bindEnvironment } from "../../../platform/bound-environment.ts";
import { unsteadyWarnings } from "../../../platform/tree-facts.ts";
import { configurationMark, dataName, notConfiguration, stateName } from "./configuration.ts";
import { runTerraform, type TerraformRun } from "./run-configuration.ts";
import { type StateFacts, backendOf, parseState, pullState, resourceCount, stateFactsSchema } from "./state.ts";
import { type TerraformContext, type TerraformOptions, stablePathOf } from "./component-options.ts";

export const capturedDetailSchema = z.object({
  state: stateFactsSchema,
  stateSha256: z.string(),
  backend: z.string(),
  /** Is the state the file of the folder itself? */
  isInFolder: z.boolean(),
  workspace: z.string(),
  otherWorkspaces: z.array(z.string()),
});
export type CapturedDetail = z.infer<typeof capturedDetailSchema>;

export const runOf = async (context: TerraformContext, folder: string): Promise<TerraformRun> => ({
  program: context.options.program ?? "terraform",
  folder,
  signal: context.signal,
  marker: context.marker,
  environment: await bindEnvironment(context.bind, context.options.environment),
});

export const readVersion = async (run: TerraformRun): Promise<string> =>
  z.object({ terraform_version: z.string() }).parse(JSON.parse(await runTerraform(run, ["version", "-json"])))
    .terraform_version;

/** The selected one is marked by a star. */
const readWorkspaces = async (
  run: TerraformRun,
): Promise<{ readonly selected: string; readonly others: readonly string[] }> => {
  const lines = (await runTerraform(run, ["workspace", "list"])).split("\n").filter((line) => line.trim() !== "");
  const named = lines.map((line) => ({ name: line.replace(/^\*/, "").trim(), isSelected: line.startsWith("*") }));
  return {
    selected: named.find(({ isSelected }) => isSelected)?.name ?? "default",
    others: named.flatMap(({ name, isSelected }) => (isSelected ? [] : [name])),
  };
};

export const readSource = async (run: TerraformRun) => {
  const version = await readVersion(run);
  const backend = await backendOf(run.folder);
  const { selected, others } = await readWorkspaces(run);
  if (backend.isInFolder && selected !== "default")
    throw new RefloatError(
      "source.unsupported",
      `the workspace ${selected} of a local state is selected in ${run.folder}; the workspace default alone is captured there`,
      { hint: "terraform workspace select default, and a folder for each workspace" },
    );
  const text = await pullState(run);
  return { version, backend, workspace: selected, others, text, state: parseState(text, "source.unsupported") };
};

export const warningsOf = ({ others }: { readonly others: readonly string[] }): readonly string[] =>
  others.length === 0 ? [] : [`other workspaces are not in the point: ${others.join(", ")}`];

const isSameState = (a: StateFacts, b: StateFacts): boolean => a.lineage === b.lineage && a.serial === b.serial;

export const captureTerraform: ComponentDriver<TerraformOptions>["capture"] = async (context, sink, previous) => {
  const { clock, component, signal } = context;
  const folder = await stablePathOf(context);
  const root = `/${component}`;
  const run = await runOf(context, folder);
  const total = previous?.facts;
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    ...(total === undefined ? {} : { bytesTotal: total.sizeBytes, itemsTotal: total.counts["files"] ?? 0 }),
  });
  const beginAt = clock.now().toISOString();
  const source = await readSource(run);
  const receipt = await sink.tree(
    folder,
    { exclude: notConfiguration, oneFileSystem: false, as: `${root}/${dataName}` },
    signal,
    progress,
  );
  const after = parseState(await pullState(run), "source.unsupported");
  if (!isSameState(source.state, after))
    throw new RefloatError("source.failed", `${folder} was applied while it was captured`, {
      state: "no point was made",
      hint: "capture again when the apply is over",
    });
  const bytes = Buffer.from(source.text);
  await sink.bytes(`${root}/${stateName}`, bytes);
  const { lineage, serial } = source.state;
  const detail: CapturedDetail = {
    state: source.state,
    stateSha256: createHash("sha256").update(bytes).digest("hex"),
    backend: source.backend.type,
    isInFolder: source.backend.isInFolder,
    workspace: source.workspace,
    otherWorkspaces: [...source.others],
  };
  return {
    path: root,
    facts: {
      sizeBytes: receipt.sizeBytes + bytes.length,
      counts: { files: receipt.files, resources: resourceCount(source.state), outputs: source.state.outputs },
      units: Object.fromEntries(Object.entries(source.state.resources).map(([type, rows]) => [type, { rows }])),
      position: { takenAt: beginAt, mark: { lineage, serial, files: await configurationMark(folder, signal) } },
      versions: { terraform: source.version },
      detail: toJsonObject(detail),
    },
    window: { beginAt, endAt: clock.now().toISOString() },
    consistency: "live",
    warnings: [...unsteadyWarnings(receipt), ...warningsOf(source)],
  };
};
