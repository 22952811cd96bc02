/** Holds a restored configuration against the facts of its point: lineage, serial, resources, files; and lets the program read it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beginFacts } from "../../../core/components/fact-outcomes.ts";
import type { InstanceOperations } from "../../../core/ports/driver.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { locateInstance } from "../../../platform/path-instance.ts";
import { countOf } from "../../../platform/tree-facts.ts";
import { countTree } from "../../../platform/tree-walk.ts";
import { capturedDetailSchema, runOf } from "./capture.ts";
import { configurationRules, otherStateFile, stateFile } from "./configuration.ts";
import { type StateFacts, parseState, resourceCount } from "./state.ts";
import { type TerraformContext, type TerraformOptions, stablePathOf } from "./component-options.ts";
import { validateConfiguration } from "./terraform-check.ts";

const differences = (then: StateFacts, now: StateFacts): readonly string[] => [
  ...(then.lineage === now.lineage ? [] : [`the state's lineage is ${now.lineage}, captured ${then.lineage}`]),
  ...(then.serial === now.serial ? [] : [`the state's serial is ${now.serial}, captured ${then.serial}`]),
  ...[...new Set([...Object.keys(then.resources), ...Object.keys(now.resources)])].flatMap((type) => {
    const [a = 0, b = 0] = [then.resources[type], now.resources[type]];
    return a === b ? [] : [`${type}: ${b}, captured ${a}`];
  }),
];

const readByProgram = async (context: TerraformContext, folder: string) => {
  const dataFolder = await mkdtemp(join(context.workDirectory, "terraform-"));
  try {
    return await validateConfiguration({ ...(await runOf(context, folder)), dataFolder });
  } catch (error) {
    if (error instanceof RefloatError && error.code === "program.missing")
      return { status: "skipped", found: `not read by the program: ${error.message}` } as const;
    throw error;
  } finally {
    await rm(dataFolder, { recursive: true, force: true });
  }
};

export const validateTerraform: InstanceOperations<TerraformOptions>["validate"] = async (context, target, facts) => {
  const outcome = beginFacts(context);
  const { state: then, isInFolder } = capturedDetailSchema.parse(facts.detail);
  const place = await locateInstance(await stablePathOf(context), target);
  const folder = place.presence === "done" ? place.path : target.name;
  const text = await readFile(join(folder, isInFolder ? stateFile : otherStateFile), "utf8").catch(() => "");
  const now = parseState(text, "target.failed");
  const { files } = await countTree(folder, configurationRules(context.signal));
  const captured = facts.counts["files"] ?? 0;
  const failed = [
    ...differences(then, now),
    ...(files === captured ? [] : [`${countOf(files, "file")}, captured ${captured.toLocaleString("en-US")}`]),
  ];
  const read = await readByProgram(context, folder);
  return [
    ...failed.map((found) => outcome("failed", "state and files", found)),
    ...(failed.length > 0
      ? []
      : [
          outcome(
            "passed",
            "state and files",
            `${countOf(files, "file")}, serial ${now.serial}, ${countOf(resourceCount(now), "resource")} as captured`,
          ),
        ]),
    outcome(read.status, "terraform validate", read.found),
  ];
};
