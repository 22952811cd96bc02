/** Holds a restored repository against the facts of its point: the same refs at the same objects, the same commit checked out, every object sound. */
import { beginFacts } from "../../core/components/fact-outcomes.ts";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { capturedStateSchema } from "./captured-state.ts";
import { type GitOptions, stablePathOf } from "./git-options.ts";
import { readRepository } from "./repository-state.ts";
import { type GitPlace, gitPlace, runGit } from "./run-git.ts";

const fsck = async (place: GitPlace): Promise<readonly string[]> => {
  try {
    await runGit(place, ["fsck", "--full", "--no-dangling", "--no-progress"]);
    return [];
  } catch (error) {
    place.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "program.failed") return [error.message];
    throw error;
  }
};

export const validateGit: InstanceOperations<GitOptions>["validate"] = async (context, target, facts) => {
  const outcome = beginFacts(context);
  const then = capturedStateSchema.parse(facts.detail);
  const place = await locateInstance(await stablePathOf(context), target);
  const folder = place.presence === "done" ? place.path : target.name;
  const git = await gitPlace(context, folder);
  const now = await readRepository(git);
  const names = [...new Set([...Object.keys(then.refs), ...Object.keys(now.refs)])];
  const moved = names.filter((name) => then.refs[name] !== now.refs[name]);
  const failed = [
    ...moved.map((name) => `${name} is at ${now.refs[name] ?? "nothing"}, captured ${then.refs[name] ?? "nothing"}`),
    ...(now.commit === then.commit ? [] : [`the commit is ${now.commit ?? "none"}, captured ${then.commit ?? "none"}`]),
    ...(now.branch === then.branch ? [] : [`the branch is ${now.branch ?? "none"}, captured ${then.branch ?? "none"}`]),
    ...(now.uncommitted.length === 0
      ? []
      : [`${countOf(now.uncommitted.length, "file")} differ from the commit, such as ${now.uncommitted[0]}`]),
    ...(await fsck(git)),
  ];
  if (failed.length > 0) return failed.map((found) => outcome("failed", "repository", found));
  const at = then.commit === null ? "no commit" : `commit ${then.commit}`;
  return [
    outcome("passed", "refs, commit, objects", `${countOf(names.length, "ref")} as captured, ${at}, sound by git fsck`),
  ];
};
