/** What was committed to a repository since a position, and what is in no commit. */
import { nullWhenDown } from "../../core/components/null-when-down.ts";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { Position } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { type PositionMark, positionMarkSchema } from "./captured-state.ts";
import { type GitContext, type GitOptions, stablePathOf } from "./git-options.ts";
import { readRepository } from "./repository-state.ts";
import { type GitPlace, gitPlace, runGit } from "./run-git.ts";

/** Of the objects of a position those that a repository has: one that was rewound may lack some. */
const known = async (place: GitPlace, objects: readonly string[]): Promise<readonly string[]> => {
  const said = await runGit(
    place,
    ["cat-file", "--batch-check=%(objectname) %(objecttype)"],
    `${objects.join("\n")}\n`,
  );
  return said.split("\n").flatMap((line) => (/ (?:commit|tag)$/.test(line) ? [line.split(" ")[0] ?? ""] : []));
};

const countCommits = async (place: GitPlace, since: PositionMark, commit: string | null) => {
  const before = [...new Set([...Object.values(since.refs), ...(since.commit === null ? [] : [since.commit])])];
  const not = before.length === 0 ? [] : await known(place, before);
  const head = commit === null ? [] : ["HEAD"];
  const revisions = ["--all", ...head].concat(not.map((object) => `^${object}`));
  const count = Number((await runGit(place, ["rev-list", "--count", ...revisions])).trim());
  const [newest = ""] = (
    await runGit(place, ["rev-list", "--max-count=1", "--no-commit-header", "--format=%cI", ...revisions])
  ).split("\n");
  return {
    count,
    newestAt: newest === "" ? null : new Date(newest),
    isKnown: not.length === before.length,
  };
};

/**
 * A commit bears the second in which it was made, wherever that was: one that was fetched or pushed since the position may be older than it. When it
 * came is not known then.
 */
const whenWritten = (newestAt: Date | null, takenAt: string): string | null => {
  if (newestAt === null) return null;
  const secondEnds = newestAt.getTime() + 999;
  return secondEnds > Date.parse(takenAt) ? new Date(secondEnds).toISOString() : null;
};

const compare = async (context: GitContext, folder: string, { takenAt, mark }: Position): Promise<WriteReport> => {
  const since = positionMarkSchema.parse(mark);
  const place = await gitPlace(context, folder);
  const now = await readRepository(place);
  const { count, newestAt, isKnown } = await countCommits(place, since, now.commit);
  const names = [...new Set([...Object.keys(since.refs), ...Object.keys(now.refs)])];
  const moved = names.filter((name) => name in since.refs && name in now.refs && since.refs[name] !== now.refs[name]);
  const made = names.filter((name) => !(name in since.refs));
  const gone = names.filter((name) => !(name in now.refs));
  const refs = { name: "refs", added: made.length, changed: moved.length, removed: gone.length };
  return {
    lastWriteAt: whenWritten(newestAt, takenAt),
    units: [
      ...(count === 0 ? [] : [{ name: "commits", added: count, changed: 0, removed: 0 }]),
      ...(made.length + moved.length + gone.length === 0 ? [] : [refs]),
      ...(now.uncommitted.length === 0
        ? []
        : [{ name: "uncommitted files", added: 0, changed: now.uncommitted.length, removed: 0 }]),
    ],
    gaps: isKnown
      ? []
      : ["commits of the position are not in it: it was rewound or made anew, so more may count as new than is"],
  };
};

export const gitWrites: WriteLedger<GitOptions> = {
  position: async (context, location) => {
    const takenAt = context.clock.now().toISOString();
    const place = await gitPlace(context, location ?? (await stablePathOf(context)));
    const { commit, refs } = await readRepository(place);
    return { takenAt, mark: toJsonObject({ commit, refs }) };
  },

  writesSince: async (context, { location, since }) =>
    compare(context, location ?? (await stablePathOf(context)), since),

  // One that is damaged or gone is the usual reason for a recovery: nothing can be told then.
  estimateSince: (context, since) =>
    nullWhenDown(context.signal, async () => {
      const { units, lastWriteAt } = await compare(context, await stablePathOf(context), since);
      const said = units.map(({ name, added, changed, removed }) => formatAmount(added + changed + removed, name));
      return { about: said.length === 0 ? "nothing" : said.join(", "), lastWriteAt };
    }),
};
