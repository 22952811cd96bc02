/** What a repository is at: its refs, its head, what is in no commit, and what lies elsewhere (submodules, LFS). */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { type GitPlace, runGit } from "./run-git.ts";

export const repositoryStateSchema = z.object({
  bare: z.boolean(),
  /** `sha1` or `sha256`. */
  format: z.string(),
  /** `refs/heads/main`; null where no branch is checked out. */
  branch: z.string().nullable(),
  /** Null in a repository without a commit. */
  commit: z.string().nullable(),
  /** Name to object. */
  refs: z.record(z.string(), z.string()),
  /** What git status names, of tracked and of new files. */
  uncommitted: z.array(z.string()),
  /** What lies in the working tree and Git is told to leave alone; folders as a whole. */
  ignored: z.array(z.string()),
  submodules: z.array(z.string()),
  /** Of the commit: what a working tree takes. */
  files: z.int(),
  treeBytes: z.int(),
  usesLfs: z.boolean(),
  /** Of the repository's configuration: where its remotes are, without passwords, and which branch follows which. */
  settings: z.array(z.tuple([z.string(), z.string()])),
});
export type RepositoryState = z.infer<typeof repositoryStateSchema>;

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

/** Null where Git says that there is none (its exit status is 1). */
const orNull = async (place: GitPlace, words: readonly string[]): Promise<string | null> => {
  try {
    return (await runGit(place, words)).trim();
  } catch (error) {
    place.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "program.failed" && error.context["exitCode"] === 1)
      return null;
    throw error;
  }
};

export const readRefs = async (place: GitPlace): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(
    linesOf(await runGit(place, ["for-each-ref", "--format=%(objectname) %(refname)"])).map((line) => {
      const [object = "", name = ""] = line.split(" ");
      return [name, object];
    }),
  );

type Status = Pick<RepositoryState, "uncommitted" | "ignored">;

/** Fields end by NUL: names may hold anything else. A renamed file has its old name behind it. */
const statusOf = (text: string): Status => {
  const fields = text.split("\0").filter((field) => field !== "");
  const status: Status = { uncommitted: [], ignored: [] };
  for (let at = 0; at < fields.length; at += 1) {
    const field = fields[at] ?? "";
    (field.startsWith("!!") ? status.ignored : status.uncommitted).push(field.slice(3));
    if (/^[RC]/.test(field)) at += 1;
  }
  return status;
};

const keptSettings = /^(?:remote\..*\.(?:url|fetch|pushurl)|branch\..*\.(?:remote|merge))$/;

/** `https://user:token@host/x` without what comes before the host: up to the last `@` there, since a password may have one. */
const withoutLogin = (value: string): string => value.replace(/((?:^|::)[a-z][a-z\d+.-]*:\/\/)[^/?#]*@/i, "$1");

const readSettings = async (place: GitPlace): Promise<readonly [string, string][]> =>
  ((await orNull(place, ["config", "--local", "--list", "-z"])) ?? "").split("\0").flatMap((entry) => {
    const [name = "", ...rest] = entry.split("\n");
    return keptSettings.test(name) ? [[name, withoutLogin(rest.join("\n"))] as [string, string]] : [];
  });

const usesLfs = async (place: GitPlace, commit: string | null): Promise<boolean> => {
  if (commit === null) return false;
  const found = await orNull(place, ["grep", "-l", "filter=lfs", commit, "--", ".gitattributes", "*/.gitattributes"]);
  return found !== null && found !== "";
};

type Checkout = Pick<RepositoryState, "submodules" | "files" | "treeBytes">;

/** `100644 blob OBJECT    1234\tname`; a submodule is a commit without a size. */
const readTree = async (place: GitPlace, commit: string | null): Promise<Checkout> => {
  const tree: Checkout = { submodules: [], files: 0, treeBytes: 0 };
  if (commit === null) return tree;
  for (const entry of (await runGit(place, ["ls-tree", "-r", "-l", "-z", commit])).split("\0")) {
    const { kind, size, name } = /^\d+ (?<kind>\w+) \w+ +(?<size>[\d-]+)\t(?<name>.*)$/s.exec(entry)?.groups ?? {};
    if (kind === "commit") tree.submodules.push(name ?? "");
    if (kind !== "blob") continue;
    tree.files += 1;
    tree.treeBytes += Number(size);
  }
  return tree;
};

/**
 * @throws RefloatError source.failed when there is no repository, source.denied when Git does not trust it, source.unsupported for one that lacks a part
 * of its history
 */
export const readRepository = async (place: GitPlace): Promise<RepositoryState> => {
  const { folder } = place;
  let answer: readonly string[];
  try {
    answer = linesOf(
      await runGit(place, ["rev-parse", "--is-bare-repository", "--is-shallow-repository", "--show-object-format"]),
    );
  } catch (error) {
    place.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    if (error.message.includes("dubious ownership"))
      throw new RefloatError("source.denied", `${folder} and its .git belong to different users`, {
        cause: error,
        hint: "give both to one user (chown -R): programs that a repository's configuration names are run as the owner of the folder",
      });
    throw new RefloatError("source.failed", `${folder} is no Git repository: ${error.message}`, { cause: error });
  }
  const [bare, shallow, format = "sha1"] = answer;
  if (shallow === "true")
    throw new RefloatError("source.unsupported", `${folder} is a shallow clone, which lacks a part of its history`, {
      hint: "git fetch --unshallow, or declare it as files",
    });
  const partial = await orNull(place, ["config", "--get-regexp", "^remote\\..*\\.promisor$"]);
  if (partial !== null)
    throw new RefloatError("source.unsupported", `${folder} is a partial clone, which lacks some of its objects`, {
      hint: "declare it as files, or clone it whole",
    });
  const isBare = bare === "true";
  const commit = await orNull(place, ["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]);
  const status = isBare
    ? ""
    : await runGit(place, ["status", "--porcelain=v1", "-z", "--untracked-files=normal", "--ignored"]);
  return {
    bare: isBare,
    format,
    branch: await orNull(place, ["symbolic-ref", "--quiet", "HEAD"]),
    commit,
    refs: { ...(await readRefs(place)) },
    ...statusOf(status),
    ...(await readTree(place, commit)),
    usesLfs: await usesLfs(place, commit),
    settings: [...(await readSettings(place))],
  };
};
