/** browse: what a recovery point holds. */
import { z } from "zod";
import { type ResultData, eventEnvelope } from "../../contract/envelope.ts";
import { entryFacts, keyFacts } from "../../core/granular/entry-facts.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { type Browsed, browse } from "../../operations/browse.ts";
import {
  heading,
  placeWord,
  renderEntryFacts,
  renderPoint,
  renderTableFacts,
  renderTables,
} from "../../render/browse-screen.ts";
import { entryLine } from "../../render/entry-line.ts";
import { keyLine } from "../../render/key-line.ts";
import { type Screen, nextLine } from "../../render/screen.ts";
import { formatPlace } from "../../core/granular/parse-place.ts";
import { shortId } from "../../model/identifiers.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { explorePoint } from "../browser/explore-point.ts";
import { canFillScreen } from "../browser/full-screen.ts";
import { type CommandResult, answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import type { Output } from "../output.ts";
import { placeArgument } from "../words.ts";

export const browseCommand = defineCommand({
  name: "browse",
  group: "Just one thing",
  summary: "what a recovery point holds",
  about: [
    "POINT shows the components of a point in the order of recovery; POINT:component the tables of a database, the keys of a key-value store, or the files of a " +
      "folder or a release; POINT:component:path a folder, or all that is known of one file or table, or keys by name or pattern.",
    "Keys (redis, etcd) are told with type, size in the capture and time to end or lease, in no order, one by one however many there are; with --json as events. Patterns are " +
      "those of Redis: POINT:cache:'user:*', POINT:cache:'db1/*', POINT:config:'/app/*'. A name of redis without db1/ before it is of database 0.",
    "On a terminal these are looked through with keys: arrows (or hjkl) and Enter move, / searches in a folder, x extracts what the cursor stands on, v shows " +
      "its versions in all points, ? lists the keys, q leaves. Elsewhere, with --list, --recursive or --json, and where TERM is dumb, they are listed.",
    "Names that are not UTF-8 or hold control characters are written as escapes (\\n, \\xe9), which extract and browse take back; with --json " +
      "they stand as they are, and a name that is not UTF-8 has its bytes in pathBase64. Reads the vault; changes nothing.",
  ],
  arguments: [placeArgument],
  options: [
    { name: "list", about: "print it, on a terminal too" },
    { name: "recursive", about: "everything below too; with --json one event for each entry" },
    { name: "files", about: "the files of an archive instead of its tables or keys" },
  ],
  examples: [
    { line: "refloat browse 7f3a91c2", about: "the components" },
    { line: "refloat browse 7f3a91c2:db", about: "the tables, with rows and sizes" },
    { line: "refloat browse 7f3a91c2:uploads:invoices", about: "one folder" },
    { line: "refloat browse 7f3a91c2:cache:'session:*'", about: "keys by a pattern" },
  ],
  exits: [3, 4, 7],
  input: z.object({
    place: z.string(),
    list: z.boolean().default(false),
    recursive: z.boolean().default(false),
    files: z.boolean().default(false),
  }),
  act: async ({ list, ...request }, context) => {
    const { bench: open, output, shell, signal } = context;
    const bench = await open();
    const found = await during(output, bench.clock, "reading the vault", () => browse(bench, request, signal));
    if (!list && !request.recursive && found.kind !== "keys" && canFillScreen(shell, output)) {
      // With --json nobody gets here, so this answer is for people alone.
      return { envelope: {}, text: await explorePoint(bench, found, request.files, context), exit: 0, error: null };
    }
    const screen = output.screen(bench.host.timeZone);
    return tell(found, request.recursive, bench.clock.now().toISOString(), screen, output);
  },
});

const pointName = ({ id, manifest }: RecoveryPoint) => ({
  id,
  service: manifest.service,
  consistentAt: manifest.consistentAt,
});

const tell = async (
  found: Browsed,
  recursive: boolean,
  now: string,
  screen: Screen,
  output: Output,
): Promise<CommandResult> => {
  if (found.kind === "point") {
    const components = found.components.map(({ name, wave, captured, missing }) => ({
      name,
      wave,
      driver: captured.driver,
      path: captured.path,
      sizeBytes: captured.sizeBytes,
      counts: captured.facts.counts,
      versions: captured.facts.versions,
      missing,
    }));
    const text = renderPoint(found.point, found.components, now, screen);
    return answer("browse", { kind: "point", point: pointName(found.point), components }, text);
  }
  const of = { point: pointName(found.point), component: found.captured.name, driver: found.captured.driver };
  switch (found.kind) {
    case "tables":
      return answer(
        "browse",
        { kind: "tables", ...of, tables: found.tables.map(tableFacts) },
        renderTables(found, found.tables, now, screen),
      );
    case "table":
      return answer(
        "browse",
        { kind: "table", ...of, table: tableFacts(found.table) },
        renderTableFacts(found, found.table, now, screen),
      );
    case "file": {
      const { path, entry } = found.at;
      return answer(
        "browse",
        { kind: "file", ...of, at: entryFacts(path, entry) },
        renderEntryFacts(found, path, entry, now, screen),
      );
    }
    case "keys":
      return tellKeys(found, of, now, screen, output);
    case "folder":
      break;
  }
  return tellFolder(found, of, recursive, now, screen, output);
};

const tableFacts = ({ name, rows, sizeBytes, sha256 }: (Browsed & { kind: "table" })["table"]) => ({
  name,
  rows,
  sizeBytes,
  sha256,
});

/** However many there are: none is kept. */
const tellKeys = async (
  { point, captured, pattern, keys }: Browsed & { kind: "keys" },
  of: Pick<Extract<ResultData<"browse">, { kind: "keys" }>, "point" | "component" | "driver">,
  now: string,
  screen: Screen,
  output: Output,
): Promise<CommandResult> => {
  output.say(`${placeWord(point, captured.name)}  keys of ${heading(point, now, screen)}`);
  let count = 0;
  for await (const key of keys) {
    count += 1;
    if (output.json) output.event(eventEnvelope("browse", keyFacts(key)));
    else output.say(keyLine(key, now, screen));
    if (count % drainEvery === 0 && !(await output.drained())) break;
  }
  const place = formatPlace({ point: shortId(point.id), component: captured.name, path: "KEY" });
  return answer(
    "browse",
    { kind: "keys", ...of, pattern, count },
    `${formatAmount(count, "keys")}\n${nextLine(screen, `refloat extract ${place} --stdout`)}`,
  );
};

const tellFolder = async (
  { point, captured, at, databases, entries }: Browsed & { kind: "folder" },
  of: Pick<Extract<ResultData<"browse">, { kind: "folder" }>, "point" | "component" | "driver">,
  recursive: boolean,
  now: string,
  screen: Screen,
  output: Output,
): Promise<CommandResult> => {
  const release = captured.facts.versions["release"];
  output.say(
    `${placeWord(point, captured.name, at.path.length === 0 ? null : at.path)}  ${captured.path} in ${heading(point, now, screen)}` +
      (release === undefined ? "" : `, release ${release}`),
  );
  if (databases !== null) output.say(`databases, for refloat extract: ${databases.join(", ")}`);
  const listed: ReturnType<typeof entryFacts>[] = [];
  let count = 0;
  for await (const { path, entry } of entries) {
    count += 1;
    if (!output.json) output.say(entryLine(recursive ? path : entry.name, entry, screen));
    else if (recursive) output.event(eventEnvelope("browse", entryFacts(path, entry)));
    else listed.push(entryFacts(path, entry));
    if (count % drainEvery === 0 && !(await output.drained())) break;
  }
  return answer(
    "browse",
    {
      kind: "folder",
      ...of,
      at: entryFacts(at.path, at.entry),
      entries: recursive ? null : listed,
      count,
      ...(databases === null ? {} : { databases: [...databases] }),
    },
    `${formatAmount(count, "entries")}\n${nextLine(screen, `refloat extract ${placeWord(point, captured.name, at.path)} --to PLACE`)}`,
  );
};

/** A slow reader of a long list must not fill our memory with it. */
const drainEvery = 1000;
