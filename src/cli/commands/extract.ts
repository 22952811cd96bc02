/** extract: one thing out of a recovery point. */
import { basename, resolve } from "node:path";
import { z } from "zod";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import { formatAmount, formatBytes } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import {
  type ExtractRequest,
  type Extracted,
  extractToArchive,
  extractToPlace,
  extractToStream,
} from "../../operations/extract.ts";
import { extractedAsOf, renderExtracted } from "../../render/extract-screen.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { showProgress } from "../live-progress.ts";
import { placeArgument } from "../words.ts";

export const extractCommand = defineCommand({
  name: "extract",
  group: "Just one thing",
  summary: "one file, folder, table or key out of a recovery point",
  about: [
    "--to makes PLACE, which must not be there yet: a file or folder with its modes, owners, times and links, or a table as a file. It gets its " +
      "name only when it is whole. --stdout writes the bytes of a file or the rows of a table to standard output. --archive writes a tar (pax) of " +
      "it, compressed when the name ends with .tar.zst; - means standard output.",
    "Of a whole server's capture (postgres-cluster, mariadb-server) PLACE names what is in a database: POINT:db:bench/orders (of PostgreSQL also POINT:db:bench/public.orders) a table, " +
      "POINT:db:bench/public. a schema, POINT:db:bench the database. A temporary server of no more than that is made in TMPDIR from the point, and removed. " +
      "--dump makes an archive with definitions, indexes, constraints and triggers, which pg_restore -d bench puts back; of MariaDB it is SQL, for mariadb bench < FILE. A table without it gives its rows. " +
      "A file of that name comes first; names with dots, slashes or quotes stand in double quotes.",
    "Of a redis component PLACE names a key as browse shows it: POINT:cache:user:42, POINT:cache:db1/user:42. A string comes as it is, a list, set, hash or sorted set as lines of JSON, " +
      "an element each; with --dump any of them as DUMP gives and RESTORE takes it. Of an etcd component it is POINT:config:/app/price: " +
      "the value as it is, with --dump the JSON that etcd's gateway takes at /v3/kv/put. Read out of the capture, without a server.",
    "With --at PLACE begins with a service: SERVICE:component:path, as of the newest point of that moment; of a whole server whose log is received as of that very moment, " +
      "by the point and the log from there. What it was taken from is told.",
    "The rows of a table are PostgreSQL's COPY text, as \\copy takes them, or what MariaDB's LOAD DATA takes; with --csv they are CSV with a header. In the encoding of the database.",
    "Nothing is overwritten, nothing is written outside PLACE whatever names and links say, and every byte is verified. What went to standard " +
      "output before an error is not whole: look at the exit code. Changes nothing else; for a whole service: refloat recover.",
  ],
  arguments: [placeArgument],
  options: [
    { name: "to", value: "PLACE", about: "a file or folder that is not there yet", completes: "files" },
    { name: "stdout", about: "the bytes of a file, or the rows of a table" },
    {
      name: "archive",
      value: "FILE",
      about: "a tar that is not there yet: FILE.tar, FILE.tar.zst, or -",
      completes: "files",
    },
    { name: "csv", about: "the rows of a table as CSV with a header" },
    {
      name: "dump",
      about:
        "an archive of a whole server's table, schema or database: for pg_restore, or SQL of MariaDB; a key for RESTORE, or for /v3/kv/put of etcd",
    },
    {
      name: "at",
      value: "MOMENT",
      about: "as of then, of the service that PLACE begins with: 14:04:59, last, before deploy",
    },
  ],
  examples: [
    { line: "refloat extract 7f3a91c2:uploads:invoices/17.pdf --to 17.pdf", about: "one file" },
    { line: "refloat extract 7f3a91c2:db:orders --stdout --csv", about: "one table" },
    { line: "refloat extract 7f3a91c2:uploads --archive uploads.tar.zst", about: "a whole folder, in one file" },
    { line: "refloat extract 7f3a91c2:cache:user:42 --stdout", about: "one key" },
    { line: "refloat extract 7f3a91c2:db --to db.dump", about: "a whole database, as pg_restore reads it" },
    {
      line: 'refloat extract shop:cluster:bench/orders --at "14:04:59" --dump --to orders.dump',
      about: "one table of a whole server, as of the second before it was dropped",
    },
  ],
  exits: [3, 4, 7],
  input: z
    .object({
      place: z.string(),
      to: z.string().min(1).nullable().default(null),
      stdout: z.boolean().default(false),
      archive: z
        .string()
        .refine((name) => name === "-" || /\.(tar|tar\.zst|tzst)$/.test(name), {
          message: "--archive takes a name that ends with .tar or .tar.zst, or - for standard output",
        })
        .nullable()
        .default(null),
      csv: z.boolean().default(false),
      dump: z.boolean().default(false),
      at: z.string().min(1).nullable().default(null),
    })
    .refine(({ csv, dump }) => !(csv && dump), { message: "--csv gives rows and --dump an archive: only one of them" })
    .refine(({ to, stdout, archive }) => [to !== null, stdout, archive !== null].filter(Boolean).length === 1, {
      message: "extract needs one of --to PLACE, --stdout and --archive FILE",
    }),
  act: async ({ place, to, stdout, archive, csv, dump, at }, context) => {
    const toStdout = stdout || archive === "-";
    if (toStdout && context.output.json) {
      throw new RefloatError("usage", "standard output cannot carry both the content and the answer of --json", {
        hint: "write it to a file: --to PLACE or --archive FILE",
      });
    }
    const bench = await context.bench();
    const show = showExtraction(place, bench, context, !toStdout);
    const request: ExtractRequest = {
      place,
      at,
      rows: csv ? "csv" : "copy",
      dump,
      tablesOnly: csv,
      signal: context.signal,
      progress: show.progress,
      stage: show.stage,
    };
    const absolute = (path: string): string => resolve(context.shell.currentDirectory, path);
    const write = async (bytes: ByteStream): Promise<void> => context.output.bytes(bytes);
    try {
      if (to !== null) {
        const target = absolute(to);
        return tell(await extractToPlace(bench, request, target), target, context);
      }
      if (stdout) return tell(await extractToStream(bench, request, write), null, context, at !== null);
      if (archive === "-") {
        return tell(await extractToArchive(bench, request, { compression: "none", write }), null, context, at !== null);
      }
      const target = absolute(archive ?? "");
      const compression = basename(target).endsWith(".tar") ? "none" : "zstd";
      const toFile = async (bytes: ByteStream): Promise<void> => {
        await bench.places.write(target, bytes, context.signal);
      };
      return tell(await extractToArchive(bench, request, { compression, write: toFile }), target, context);
    } finally {
      show.stop();
    }
  },
});

/** Beside the content on standard output only a terminal of its own is worth drawing on. */
const showExtraction = (place: string, { clock }: Workbench, { output }: CommandContext, speaks: boolean) => {
  const done = { bytes: 0, items: 0 };
  let now: string | null = null;
  const beganMs = clock.monotonicMs();
  const line = (): string => {
    if (now !== null && done.bytes === 0) return `extracting ${place}: ${now}`;
    const seconds = Math.max(0.001, (clock.monotonicMs() - beganMs) / 1000);
    const files = done.items === 0 ? "" : `${formatAmount(done.items, "files")}, `;
    return `extracting ${place}: ${files}${formatBytes(done.bytes)}, ${formatBytes(Math.round(done.bytes / seconds))}/s`;
  };
  const shown = speaks ? showProgress(output, { frame: line, line }) : null;
  return {
    progress: ({ bytes, items }: { readonly bytes: number; readonly items: number }) => {
      done.bytes += bytes;
      done.items += items;
    },
    stage: (what: string) => {
      now = what;
    },
    stop: () => shown?.stop(),
  };
};

/** @param choosing the point was chosen for the person, who has to be told which it was */
const tell = (
  extracted: Extracted,
  target: string | null,
  { output }: CommandContext,
  choosing = false,
): CommandResult => {
  const { point, replayed, component, what, files, directories, sizeBytes, warnings } = extracted;
  const data = {
    point: point.id,
    replayed: replayed === null ? null : { to: replayed.to, at: replayed.at },
    component,
    what,
    to: target,
    files,
    directories,
    sizeBytes,
    warnings: [...warnings],
  };
  if (target === null) {
    if (choosing) output.note(`${component} as of ${extractedAsOf(extracted)}`);
    for (const warning of warnings) output.note(`warning ${warning}`);
    return answer("extract", data, "");
  }
  return answer("extract", data, renderExtracted(extracted, target, output.screen("UTC")));
};
