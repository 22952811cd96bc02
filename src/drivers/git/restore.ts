/** Restores a repository into a new folder: Git takes all refs from the bundle and looks at every object; hooks and other people's settings do not come along. */
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { giveTree, ownerOf } from "../../platform/folder-server/folder-owner.ts";
import { restoreInstance } from "../../platform/path-instance.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { capturedStateSchema } from "./captured-state.ts";
import { type GitContext, type GitOptions, stablePathOf } from "./git-options.ts";
import type { RepositoryState } from "./repository-state.ts";
import { gitPlace, runGit } from "./run-git.ts";

/** Words of Git that take a bundle into an empty folder. For people, too. */
export const fetchWords = (bundle: string): readonly string[] => [
  "-c",
  "fetch.fsckObjects=true",
  "-c",
  "gc.auto=0",
  "fetch",
  "--quiet",
  "--update-head-ok",
  "--no-write-fetch-head",
  bundle,
  "+refs/*:refs/*",
];

const fill = async (context: GitContext, folder: string, bundle: string, state: RepositoryState): Promise<void> => {
  // Ours until it is whole.
  const place = await gitPlace(context, folder);
  const git = (...words: readonly string[]) => runGit(place, words);
  // Without a template: its hooks are samples at best.
  await git(
    "init",
    "--quiet",
    "--template=",
    ...(state.bare ? ["--bare"] : []),
    `--object-format=${state.format}`,
    ".",
  );
  // Git does not fetch into the branch that is checked out.
  await git("symbolic-ref", "HEAD", "refs/heads/refloat-nothing");
  try {
    await git(...fetchWords(bundle));
    if (state.branch === null && state.commit !== null) await git(...fetchWords(bundle).slice(0, -1), "HEAD");
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    const isFull = /No space left|ENOSPC/.test(error.message);
    throw new RefloatError(isFull ? "target.failed" : "point.damaged", `the bundle cannot be read: ${error.message}`, {
      cause: error,
    });
  }
  if (state.branch !== null) await git("symbolic-ref", "HEAD", state.branch);
  else if (state.commit !== null) await git("update-ref", "--no-deref", "HEAD", state.commit);
  for (const [name, value] of state.settings) await git("config", "--local", "--add", name, value);
};

export const restoreGit: InstanceOperations<GitOptions>["restore"] = async (context, target, source, captured) => {
  const { signal } = context;
  signal.throwIfAborted();
  const stable = await stablePathOf(context);
  const { facts } = captured;
  const { owner, bundle, ...state } = capturedStateSchema.parse(facts.detail);
  const progress = accumulateProgress(context.progress, { unit: "files", bytesTotal: facts.sizeBytes, itemsTotal: 1 });
  const finish = async (folder: string): Promise<void> => {
    const others = await readdir(folder);
    if (!others.includes(bundle)) throw new RefloatError("point.damaged", `${bundle} of the point is missing`);
    await fill(context, folder, join(folder, bundle), state);
    for (const name of others) await rm(join(folder, name));
    if (!state.bare && state.commit !== null)
      await runGit(await gitPlace(context, folder), ["reset", "--hard", "--quiet"]);
    await giveTree(folder, (await pathExists(stable)) ? await ownerOf(stable, signal) : owner, signal);
  };
  return translateSystemErrors("target.failed", `${target.name} cannot be restored`, async () => {
    const report = await restoreInstance({
      target,
      source,
      captured,
      label: basename(stable),
      signal,
      progress,
      finish,
    }).catch((error: unknown) => {
      // What Git says of a full disk is no error of ours.
      if (error instanceof RefloatError && error.code === "program.failed")
        throw new RefloatError("target.failed", `${target.name} cannot be restored: ${error.message}`, {
          cause: error,
        });
      throw error;
    });
    const at = state.commit === null ? "no commit" : state.commit.slice(0, 12);
    return {
      sizeBytes: facts.sizeBytes,
      summary: `${countOf(Object.keys(state.refs).length, "ref")} at ${at} into ${basename(target.name)} in ${dirname(target.name)}`,
      warnings: report.warnings,
    };
  });
};
