/** diff: what changed from one point to another. */
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import type { Difference } from "../../core/granular/compare-trees.ts";
import type { ValueDifference } from "../../core/granular/compare-values.ts";
import { type EntryFacts, entryFacts, pathFacts } from "../../core/granular/entry-facts.ts";
import type { CapturedTable } from "../../core/ports/driver.ts";
import type { TakeDifference } from "../../core/granular/component-diff.ts";
import type { PointDiff } from "../../core/granular/diff-sides.ts";
import { diff } from "../../operations/diff.ts";
import { diffLive } from "../../operations/diff-live.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { renderDiffEnd, renderDiffSummary, renderDifference } from "../../render/diff-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { pointArgument } from "../words.ts";

/** What a person reads before the rest is folded. */
const shownAtFirst = 100;

export const diffCommand = defineCommand({
  name: "diff",
  group: "Just one thing",
  summary: "what changed from one recovery point to another, or to what is live",
  about: [
    "Compares two points of a service: the declaration, the tables of databases by their facts (rows, hash of the rows as they were read), the " +
      "schema, files and releases by name, content, mode, owner and time. First a summary, then the files: + added, - removed, * changed, " +
      "~ mode, owner or time only. With --json each file is an event, and the summary the answer.",
    "Between two points, folders that are equal are not looked into, and no content is read. With live in place of AFTER, the point is compared with " +
      "what a capture of now would take: a file of the same size and time is believed to be equal, one of the same size and another time is read and " +
      "compared by the vault's ids; tables are read as a capture reads them, with the same limits, and compared by rows and hash. Nothing is stored.",
    "Ends with 0 whether or not anything differs. Changes nothing.",
  ],
  arguments: [
    { ...pointArgument, name: "BEFORE", about: "the id of the older point, or its first letters" },
    { ...pointArgument, name: "AFTER", about: "the id of the newer one, or live" },
  ],
  options: [
    { name: "only", value: "COMPONENT", about: "this component only", completes: "components" },
    { name: "all", about: `every file, also beyond the first ${shownAtFirst}; against live, before the summary` },
  ],
  examples: [
    { line: "refloat diff 5d0c88e1 7f3a91c2", about: "what came between the two" },
    { line: "refloat diff 7f3a91c2 live", about: "what was done since: the damage, and what a recovery would lose" },
    { line: "refloat diff 5d0c88e1 7f3a91c2 --only uploads --all", about: "every file of one component" },
  ],
  exits: [3, 4, 7],
  input: z.object({
    before: z.string(),
    after: z.string(),
    only: z.string().nullable().default(null),
    all: z.boolean().default(false),
  }),
  act: async ({ before, after, only, all }, { bench: open, output, signal }) => {
    const bench = await open();
    const screen = output.screen(bench.host.timeZone);
    if (before === liveWord) {
      throw new RefloatError("usage", "what is live is the later side: refloat diff POINT live", {
        nextCommand: "refloat diff --help",
      });
    }
    const live = after === liveWord;
    const compare = (take: TakeDifference): Promise<PointDiff> =>
      live
        ? diffLive(bench, { point: before, only }, take, signal)
        : diff(bench, { before, after, only }, take, signal);
    const kept: string[] = [];
    let told = 0;
    const tell = async (text: string): Promise<void> => {
      output.say(text);
      told += 1;
      if (told % 1000 === 0) await output.drained();
    };
    const keep: TakeDifference = async (component, difference) => {
      output.event(eventEnvelope("diff", differenceData(component, difference, live)));
      if (output.json) await output.drained();
      else if (live && all) await tell(renderDifference(component, difference, screen));
      else if (kept.length < shownAtFirst) kept.push(renderDifference(component, difference, screen));
    };
    const found = await during(output, bench.clock, "comparing", () => compare(keep));
    output.say(renderDiffSummary(found, bench.clock.now().toISOString(), screen));
    for (const line of kept) await tell(line);
    const total = found.components.reduce(
      (sum, { files }) => sum + files.added + files.removed + files.changed + files.metadata,
      0,
    );
    if (all && total > told && !output.json) {
      // The summary comes first, so the rest is walked once more instead of being kept in memory. What is live would be read twice, and may differ.
      let seen = 0;
      await compare(async (component, difference) => {
        seen += 1;
        if (seen > kept.length) await tell(renderDifference(component, difference, screen));
      });
    }
    return answer("diff", diffData(found), renderDiffEnd(found, total - told, screen));
  },
});

const liveWord = "live";

const differenceData = (component: string, { kind, path, before, after, details }: Difference, live: boolean) => ({
  component,
  kind,
  ...pathFacts(path),
  before: before === null ? null : entryFacts(path, before),
  after: after === null ? null : live ? withoutTree(entryFacts(path, after)) : entryFacts(path, after),
  details: [...details],
});

/** A folder that no vault holds has no id that would mean anything to anybody. */
const withoutTree = (facts: EntryFacts): EntryFacts => {
  const { treeId, ...others } = facts;
  return treeId === undefined ? facts : others;
};

const valueData = ({ key, before = null, after = null }: ValueDifference) => ({ key, before, after });

const tableData = (table: CapturedTable | null) =>
  table === null ? null : { name: table.name, rows: table.rows, sizeBytes: table.sizeBytes, sha256: table.sha256 };

const diffData = ({ before, after, declaration, components }: PointDiff) => ({
  before: before.id,
  after: after?.id ?? liveWord,
  service: before.manifest.service,
  declaration: declaration.map(valueData),
  components: components.map(({ versions, tables, ...component }) => ({
    ...component,
    versions: versions.map(valueData),
    tables: tables.map(({ kind, name, before: old, after: now }) => ({
      kind,
      name,
      before: tableData(old),
      after: tableData(now),
    })),
  })),
});
