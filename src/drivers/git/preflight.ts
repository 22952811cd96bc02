/** What `validate --live` says of a repository: what a point of it will have, and what will not be in it. */
import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { type Finding, failure, finding, mountFindings } from "../../platform/postgres/preflight-finding.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { bundleWords, warningsOf } from "./capture.ts";
import { type GitContext, stablePathOf } from "./git-options.ts";
import { type RepositoryState, readRepository } from "./repository-state.ts";
import { fetchWords } from "./restore.ts";
import { gitPlace } from "./run-git.ts";

const stateFindings = (context: GitContext, folder: string, state: RepositoryState): readonly Finding[] => {
  const at = state.commit === null ? "no commit" : `${state.branch ?? "no branch"} at ${state.commit.slice(0, 12)}`;
  const isRefused = context.options.uncommitted === "refuse" && state.uncommitted.length > 0;
  return [
    finding(
      state.commit !== null || Object.keys(state.refs).length > 0,
      folder,
      `${state.bare ? "a bare repository" : "a repository"}, ${at}, ${countOf(Object.keys(state.refs).length, "ref")}`,
      "make a first commit",
    ),
    ...warningsOf(state).map((found) =>
      finding(
        false,
        "not in a point",
        isRefused ? `${found} (uncommitted: refuse makes no point)` : found,
        "commit it, or declare what has to come back as files of a folder outside of this one",
      ),
    ),
  ];
};

const folderFindings = async (folder: string): Promise<readonly Finding[]> => {
  const beside = dirname(folder);
  const refused = await access(beside, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
  return [
    finding(
      refused === null,
      beside,
      refused === null ? "a restored repository can be put here" : `nothing can be restored here: ${refused}`,
    ),
    ...(await mountFindings(folder)),
  ];
};

export const preflightGit = async (context: GitContext): Promise<PreflightReport> => {
  const folder = await stablePathOf(context);
  const findings: Finding[] = [];
  let commands: readonly string[] = [];
  try {
    const state = await readRepository(await gitPlace(context, folder));
    findings.push(...stateFindings(context, folder, state), ...(await folderFindings(folder)));
    commands = [["git", "-C", folder, ...bundleWords(state)].map(shellWord).join(" ")];
  } catch (error) {
    context.signal.throwIfAborted();
    findings.push(failure(folder, error));
  }
  return {
    findings,
    commands,
    recoveryCommands: [
      `git init ${shellWord(`${folder}.rN`)}`,
      ["git", "-C", `${folder}.rN`, ...fetchWords("repository.bundle")].map(shellWord).join(" "),
      `renameat2 ${folder} ${folder}.oldN  -- exchanges the two names`,
    ],
    grants: [],
  };
};
