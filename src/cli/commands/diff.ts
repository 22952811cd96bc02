/** diff: what changed from one point to another. */
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import type { Difference } from "../../core/granular/compare-trees.ts";
import type { ValueDifference } from "../../core/granular/compare-values.ts";
import { entryFacts, pathFacts } from "../../core/granular/entry-facts.ts";
import type { CapturedTable } from "../../core/ports/driver.ts";
import { type PointDiff, diff } from "../../operations/diff.ts";
import { renderDiffEnd, renderDiffSummary, renderDifference } from "../../render/diff-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { pointArgument } from "../words.ts";

/** What a person reads before the rest is folded. */
const shownAtFirst = 100;

export const diffCommand = defineCommand({
  name: "diff",
  group: "Just one thing",
  summary: "what changed from one recovery point to another",
  about: [
    "Compares two points of a service: the declaration, the tables of databases by their facts (rows, hash of the rows as they were read), the " +
      "schema, files and releases by name, content, mode, owner and time. First a summary, then the files: + added, - removed, * changed, " +
      "~ mode, owner or time only. With --json each file is an event, and the summary the answer.",
    "Folders that are equal are not looked into, and no content is read. A point cannot be compared with the live side yet: capture first, " +
      "then compare the two points. Ends with 0 whether or not anything differs. Changes nothing.",
  ],
  arguments: [
    { ...pointArgument, name: "BEFORE", about: "the id of the older point, or its first letters" },
    { ...pointArgument, name: "AFTER", about: "the id of the newer one" },
  ],
  options: [
    { name: "only", value: "COMPONENT", about: "this component only", completes: "components" },
    { name: "all", about: `every file, also beyond the first ${shownAtFirst}` },
  ],
  examples: [
    { line: "refloat diff 5d0c88e1 7f3a91c2", about: "what came between the two" },
    { line: "refloat diff 5d0c88e1 7f3a91c2 --only uploads --all", about: "every file of one component" },
  ],
  exits: [3, 4, 7],
  input: z.object({
    before: z.string(),
    after: z.string(),
    only: z.string().nullable().default(null),
    all: z.boolean().default(false),
  }),
  act: async (request, { bench: open, output, signal }) => {
    const bench = await open();
    const screen = output.screen(bench.host.timeZone);
    const kept: string[] = [];
    const keep = async (component: string, difference: Difference): Promise<void> => {
      output.event(eventEnvelope("diff", differenceData(component, difference)));
      if (output.json) await output.drained();
      else if (kept.length < shownAtFirst) kept.push(renderDifference(component, difference, screen));
    };
    const found = await during(output, bench.clock, "comparing", () => diff(bench, request, keep, signal));
    output.say(renderDiffSummary(found, bench.clock.now().toISOString(), screen));
    const total = found.components.reduce(
      (sum, { files }) => sum + files.added + files.removed + files.changed + files.metadata,
      0,
    );
    for (const line of kept) output.say(line);
    let told = kept.length;
    if (request.all && total > told && !output.json) {
      // The summary comes first, so the rest is walked once more instead of being kept in memory.
      let seen = 0;
      const rest = async (component: string, difference: Difference): Promise<void> => {
        seen += 1;
        if (seen <= kept.length) return;
        output.say(renderDifference(component, difference, screen));
        if (seen % 1000 === 0) await output.drained();
      };
      await diff(bench, request, rest, signal);
      told = total;
    }
    return answer("diff", diffData(found), renderDiffEnd(found, total - told, screen));
  },
});

const differenceData = (component: string, { kind, path, before, after, details }: Difference) => ({
  component,
  kind,
  ...pathFacts(path),
  before: before === null ? null : entryFacts(path, before),
  after: after === null ? null : entryFacts(path, after),
  details: [...details],
});

const valueData = ({ key, before = null, after = null }: ValueDifference) => ({ key, before, after });

const tableData = (table: CapturedTable | null) =>
  table === null ? null : { name: table.name, rows: table.rows, sizeBytes: table.sizeBytes, sha256: table.sha256 };

const diffData = ({ before, after, declaration, components }: PointDiff) => ({
  before: before.id,
  after: after.id,
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
