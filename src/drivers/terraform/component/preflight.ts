/** What `validate --live` says of a configuration: is it initialised, can its state be read, what will not be in a point. */
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../../core/ports/driver.ts";
import { type Finding, failure, finding, mountFindings } from "../../../platform/postgres/preflight-finding.ts";
import { describeSystemError } from "../../../platform/system-error.ts";
import { countOf } from "../../../platform/tree-facts.ts";
import { readSource, runOf, warningsOf } from "./capture.ts";
import { resourceCount } from "./state.ts";
import { type TerraformContext, stablePathOf } from "./component-options.ts";

const folderFindings = async (folder: string): Promise<readonly Finding[]> => {
  const beside = dirname(folder);
  const refused = await access(beside, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
  return [
    finding(
      refused === null,
      beside,
      refused === null ? "a restored folder can be put here" : `nothing can be restored here: ${refused}`,
    ),
    ...(await mountFindings(folder)),
  ];
};

export const preflightTerraform = async (context: TerraformContext): Promise<PreflightReport> => {
  const folder = await stablePathOf(context);
  const findings: Finding[] = [];
  try {
    const source = await readSource(await runOf(context, folder));
    findings.push(
      finding(
        true,
        folder,
        `Terraform ${source.version}, state at serial ${source.state.serial} with ${countOf(resourceCount(source.state), "resource")}, kept in ${source.backend.isInFolder ? "the folder" : `a backend (${source.backend.type}), which a recovery leaves as it is`}`,
      ),
      finding(
        true,
        "secrets",
        "a state holds them in plain words: it is in the point, sealed as all of the vault is, and shown nowhere",
      ),
      ...warningsOf(source).map((found) => finding(false, "not in a point", found, "a folder for each workspace")),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    findings.push(failure(folder, error));
  }
  findings.push(...(await folderFindings(folder)));
  const program = context.options.program ?? "terraform";
  return {
    findings,
    commands: [`${program} -chdir=${folder} state pull`],
    recoveryCommands: [`renameat2 ${folder} ${folder}.oldN  -- exchanges the two names; nothing is applied`],
    grants: [],
  };
};
