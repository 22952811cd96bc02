/**
 * One table, schema or database out of a captured cluster. Its files are guessed from the catalogs as they lie in the capture; a temporary server on these files, and on
 * holes in place of all others, replays the log to what is wanted, and says whether the guess was right. If it was not, the next attempt has what was missing.
 */
import { tmpdir } from "node:os";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { ExcerptRequest, Excerpts } from "../../../core/ports/excerpts.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { sweepPartials } from "../../../platform/partial-names.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { translateSystemErrors } from "../../../platform/system-error.ts";
import { readBackupManifest } from "../backup-manifest.ts";
import { type CapturedDetail, capturedDetailSchema } from "../cluster-facts.ts";
import type { ClusterContext, ClusterOptions } from "../cluster-options.ts";
import { findServerPrograms } from "../server-programs.ts";
import { layoutName, manifestName, parseLayout } from "../vault-places.ts";
import { listFiles, readWhole, relationKey } from "./captured-files.ts";
import { type Choice, chooseAlso, nothingChosen } from "./choose-files.ts";
import { type ExcerptWish, formatDatabase, parseExcerptName } from "./excerpt-name.ts";
import { type Attempt, type Instance, makeInstance } from "./instance.ts";
import { databaseNamed, enterDatabase, judgeInstance, unknownDatabase } from "./judge-instance.ts";
import { guessFilenodes, outOfLineOf, readRawCatalog, readSuperusers } from "./raw-catalog.ts";
import { readDump, readRows } from "./read-wanted.ts";
import type { SkeletonSource } from "./skeleton.ts";
import { type Wanted, describeUnlogged } from "./wanted-relations.ts";

export type ExcerptSource = Parameters<Excerpts<ClusterOptions>["take"]>[1];

/** Files of a cluster, and what is known of it. */
export type ExcerptOrigin = { readonly detail: CapturedDetail; readonly source: SkeletonSource };

/** The guess, catalogs that it missed, files that it missed, and everything. */
const mostAttempts = 4;

/** Files of the database's catalogs, and of what is wanted in it as far as these tell. */
const chooseFor = async ({ source, detail, name }: Attempt, database: string): Promise<Partial<Choice>> => {
  if (name.kind === "database") return { databases: new Set([database]) };
  const catalog = await readRawCatalog(source.files, database, detail.major);
  const guessed =
    name.kind === "relations"
      ? outOfLineOf(catalog, name.relations)
      : guessFilenodes(catalog, { schema: name.schema, table: name.kind === "table" ? name.table : null });
  const known = name.kind === "relations" ? name.relations : [];
  const found = [...catalog.system, ...guessed].map((filenode) => relationKey(database, filenode));
  return { relations: new Set([...known, ...found]) };
};

/** @throws RefloatError point.unknown */
const firstChoice = async (attempt: Attempt): Promise<Choice> => {
  const { detail, name, request } = attempt;
  const named = databaseNamed(detail, name.database);
  if (named === undefined && request.replay === null) throw unknownDatabase(name.database, detail);
  // Whether the log makes it is told by the server, whichever database it has.
  const asked = named ?? detail.databases.find((one) => one.allowsConnections);
  if (asked === undefined) throw unknownDatabase(name.database, detail);
  return chooseAlso(nothingChosen, await chooseFor(attempt, asked.oid));
};

async function* readFrom(session: Session, attempt: Attempt, instance: Instance, wanted: Wanted): ByteStream {
  const { context, request, name } = attempt;
  if (request.form === "dump") {
    for (const warning of await describeUnlogged(session, wanted)) request.warn(warning);
    request.stage("dumping");
    yield* readDump(context, instance.place, { ...session.target, database: name.database }, wanted);
  } else if (wanted.kind === "table") {
    request.stage("reading its rows");
    yield* readRows(session, wanted, request.form);
  }
  await session.close();
  await instance.end();
}

/** Reads what is wanted of an instance that has all of it, and ends both. */
export type ReadWanted<Piece> = (
  session: Session,
  attempt: Attempt,
  instance: Instance,
  wanted: Wanted,
) => AsyncIterable<Piece>;

/** @returns what was lacking; null when all of it was there and was read */
async function* tryWith<Piece>(
  attempt: Attempt,
  choice: Choice,
  read: ReadWanted<Piece>,
): AsyncGenerator<Piece, Partial<Choice> | null> {
  const instance = await translateSystemErrors("target.failed", "a temporary server cannot be made in TMPDIR", () =>
    makeInstance(attempt, choice),
  );
  try {
    const session = await enterDatabase(attempt, instance, choice);
    if ("kind" in session) return session.more;
    try {
      const verdict = await judgeInstance(session, attempt, instance, choice);
      if (verdict.kind === "lacking") return verdict.more;
      yield* read(session, attempt, instance, verdict.wanted);
      return null;
    } finally {
      await session.close();
    }
  } finally {
    await instance.remove();
  }
}

/** @throws RefloatError point.damaged, vault.* */
const openSource = async ({ tree, captured }: ExcerptSource): Promise<SkeletonSource> => {
  const read = async (name: string): Promise<Buffer | null> => {
    const entry = await tree.entry(`${captured.path}/${name}`);
    return entry === undefined ? null : readWhole(tree.content(entry));
  };
  const described = await read(layoutName);
  if (described === null) throw new RefloatError("point.damaged", `the point has no ${captured.path}/${layoutName}`);
  const layout = parseLayout(described);
  const manifest = await read(manifestName);
  const files = await listFiles(tree, captured.path, layout);
  return { isBackup: true, files, layout, manifest: manifest === null ? null : readBackupManifest(manifest) };
};

/** As `Excerpts.take`, whatever is read of the instance. */
export async function* excerptOf<Piece>(
  context: ClusterContext,
  from: ExcerptSource,
  request: ExcerptRequest,
  read: ReadWanted<Piece>,
): AsyncGenerator<Piece> {
  const name = parseExcerptName(request.name);
  if (name === null) throw new RefloatError("bug", `${request.name} was taken for a part of a cluster`);
  if (request.form !== "dump" && name.kind !== "table")
    throw new RefloatError("usage", `${request.name} is a whole ${name.kind}, which is no one stream of rows`, {
      hint: "--dump makes an archive of it, as pg_restore reads it",
    });
  const detail = capturedDetailSchema.parse(from.captured.facts.detail);
  await findServerPrograms(context, detail.major);
  yield* excerptFrom(context, { detail, source: await openSource(from) }, { name, request }, read);
}

/** As `excerptOf`, wherever the files lie. */
export async function* excerptFrom<Piece>(
  context: ClusterContext,
  { detail, source }: ExcerptOrigin,
  { name, request }: { readonly name: ExcerptWish; readonly request: ExcerptRequest },
  read: ReadWanted<Piece>,
): AsyncGenerator<Piece> {
  for (const folder of new Set([tmpdir(), "/tmp"])) await sweepPartials(folder);
  const superusers = await readSuperusers(source.files);
  const attempt: Attempt = { context, detail, source, superusers, name, request };
  let choice = await firstChoice(attempt);
  for (let count = 1; count <= mostAttempts; count += 1) {
    const more = yield* tryWith(attempt, choice, read);
    if (more === null) return;
    choice = chooseAlso(choice, more);
  }
  throw new RefloatError("bug", `the files of ${request.name} were not found in ${mostAttempts} attempts`);
}

/** What single things a captured cluster can be asked for. */
export const clusterExcerpts: Excerpts<ClusterOptions> = {
  databases: ({ facts }) => capturedDetailSchema.parse(facts.detail).databases.map(({ name }) => formatDatabase(name)),
  kindOf: (typed) => parseExcerptName(typed)?.kind ?? null,
  take: (context, from, request) => excerptOf(context, from, request, readFrom),
};
