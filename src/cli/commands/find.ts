/** find: every version of a file across recovery points. */
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import { entryFacts, pathFacts } from "../../core/granular/entry-facts.ts";
import { parseSizeRange, parseTimeRange } from "../../core/granular/parse-range.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type FindSummary, type Found, find } from "../../operations/find.ts";
import { renderFindSummary, renderFound } from "../../render/find-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";

export const findCommand = defineCommand({
  name: "find",
  group: "Just one thing",
  summary: "every version of a file or table, and the points that hold it",
  about: [
    "Searches the recovery points of all services for files, and for tables by name, size and hash. Equal content is one version, named with " +
      "the points that hold it, newest first. NAME is a name or a pattern (*.pdf); one with a slash is held against the whole path below the " +
      "component (invoices/**/*.pdf).",
    "Folders that are equal in several points are read once. --content takes the content id that browse shows, or a SHA-256 (or its beginning): " +
      "for files of one piece (under 512 KiB always) the vault knows it, larger ones are read when --read-data is given. Changes nothing.",
  ],
  arguments: [
    { name: "NAME", about: "a name, a path or a pattern; everything when left out", required: false, completes: null },
  ],
  options: [
    { name: "service", value: "SERVICE", about: "points of this service only", completes: "services" },
    { name: "component", value: "NAME", about: "this component only", completes: "components" },
    { name: "size", value: "RANGE", about: "files of this size: 1M.., ..10k, 1k..2M" },
    { name: "modified", value: "RANGE", about: 'files last changed then: 2026-11-20.., "2 days ago.."' },
    { name: "taken", value: "RANGE", about: "points taken then" },
    { name: "content", value: "ID", about: "files of this content" },
    { name: "read-data", about: "with --content: read large files to learn their SHA-256" },
  ],
  examples: [
    { line: "refloat find invoice-17.pdf", about: "every version of it" },
    { line: "refloat find '*.pdf' --service shop --modified '2 days ago..'", about: "what was written lately" },
    {
      line: "refloat find --content $(sha256sum <17.pdf | cut -c1-64)",
      about: "is this file in the vault, and where?",
    },
  ],
  exits: [3, 4, 7],
  input: z
    .object({
      name: z.string().min(1).nullable().default(null),
      service: z.string().nullable().default(null),
      component: z.string().nullable().default(null),
      size: z.string().nullable().default(null),
      modified: z.string().nullable().default(null),
      taken: z.string().nullable().default(null),
      content: z
        .string()
        .regex(/^(list-)?[0-9a-fA-F]{8,64}$/, "--content takes a content id or a SHA-256, at least eight letters of it")
        .nullable()
        .default(null),
      readData: z.boolean().default(false),
    })
    .refine(
      ({ name, size, modified, content }) => name !== null || size !== null || modified !== null || content !== null,
      {
        message: "find needs something to look for: NAME, --size, --modified or --content",
      },
    )
    .refine(({ readData, content }) => !readData || content !== null, {
      message: "--read-data says how to look for --content, which is not given",
    }),
  act: async (
    { name, service, component, size, modified, taken, content, readData },
    { bench: open, output, signal },
  ) => {
    const bench = await open();
    const range = (text: string | null) =>
      text === null ? null : parseTimeRange(text, bench.clock.now(), bench.host.timeZone);
    const request = {
      name,
      exactly: null,
      service,
      component,
      sizeBytes: size === null ? null : parseSizeRange(size),
      modified: range(modified),
      taken: range(taken),
      content: content?.toLowerCase() ?? null,
      readData,
    };
    const screen = output.screen(bench.host.timeZone);
    let first: Found | null = null;
    const take = async (found: Found): Promise<boolean> => {
      first ??= found;
      output.say(renderFound(found, screen));
      output.event(eventEnvelope("find", foundData(found)));
      return output.drained();
    };
    const sum = await during(output, bench.clock, "searching the vault", () => find(bench, request, take, signal));
    return answer("find", summaryData(sum), renderFindSummary(sum, first, screen), damageOf(sum));
  },
});

const foundData = ({ service, component, path, table, versions }: Found) => ({
  service,
  component,
  ...(path === null ? { path: null } : pathFacts(path)),
  table,
  versions: versions.map(({ points, entry, table: facts }) => ({
    points: [...points],
    entry: entry === null || path === null ? null : entryFacts(path, entry),
    table:
      facts === null ? null : { name: facts.name, rows: facts.rows, sizeBytes: facts.sizeBytes, sha256: facts.sha256 },
  })),
});

const summaryData = ({ unreadable, ...sum }: FindSummary) => ({
  ...sum,
  unreadable: unreadable.map(({ path, points, ...hurt }) => ({ ...hurt, ...pathFacts(path), points: [...points] })),
});

const damageOf = ({ unreadable }: FindSummary): RefloatError | null =>
  unreadable.length === 0
    ? null
    : new RefloatError("vault.damaged", `${formatAmount(unreadable.length, "folders")} could not be searched`, {
        state: "what was found is right, and may not be all",
        nextCommand: "refloat verify",
      });
