/**
 * What sessions of Refloat's own wrote into temporary tables of a live server, which its counts tell like anybody's rows. Each session leaves one small file behind, of where
 * the server's counts stood when it began and of what it wrote itself: facts of one process of the server, so that what is taken off a difference of counts never was in front of it.
 * A session that was killed leaves none, and counts as somebody's.
 */
import { randomBytes } from "node:crypto";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../../../platform/atomic-file.ts";
import { makePrivateFolder } from "../../../platform/private-folder.ts";
import type { StageWatch } from "../mend/mariadb-stage.ts";
import type { SqlSession } from "../sql-session.ts";
import { type Counts, type ServerMark, countsSchema } from "./captured-server.ts";
import { countsOf, countsSql, lifeIn } from "./position.ts";
import { type ServerContext, dataPathOf } from "./server-options.ts";
import { serverRecord } from "./start-record.ts";

const ownWritesSchema = z.object({
  /** Of the process that counted. */
  life: z.string(),
  /** The server's counts when the session began, before it had written anything. */
  from: countsSchema,
  /** What the session wrote, until its end. */
  own: countsSchema,
});
export type OwnWrites = z.infer<typeof ownWritesSchema>;

type Place = Pick<ServerContext, "stateDirectory">;

const folderOf = ({ stateDirectory }: Place): string => join(stateDirectory, "own-writes");

const readOne = async (path: string): Promise<OwnWrites | null> => {
  try {
    return ownWritesSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    // Without it too much is told as written, never too little.
    return null;
  }
};

/** Those that are recorded by now; to be asked before the server's counts are, which then have all of them. */
export const readOwnWrites = async (place: Place): Promise<readonly OwnWrites[]> => {
  const folder = folderOf(place);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"));
  const found = await Promise.all(names.map((name) => readOne(join(folder, name))));
  return found.filter((one) => one !== null);
};

const forgetOthers = async (folder: string, kept: ReadonlySet<string>): Promise<void> => {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const one = name.endsWith(".json") ? await readOne(path) : null;
    if (one !== null && !kept.has(one.life)) await rm(path, { force: true });
  }
};

/** Of processes that count no more nothing is asked. @param before that the one which counts goes on from */
const keep = async (place: Place, record: OwnWrites, before: string | null): Promise<void> => {
  const folder = folderOf(place);
  await makePrivateFolder(folder);
  await writeFileAtomically(join(folder, `${randomBytes(8).toString("hex")}.json`), `${JSON.stringify(record)}\n`);
  await forgetOthers(folder, new Set([record.life, ...(before === null ? [] : [before])]));
};

const countNames = ["added", "changed", "removed", "definitions"] as const;

/** Can counts that stood at `then` have gone on to `now`? None of them is ever taken back. */
export const isBehind = (now: Counts, then: Counts): boolean => countNames.every((name) => now[name] >= then[name]);

/** Of sessions that began after `then`, in the process that counts now or in the one that it goes on from. */
export const ownSince = (own: readonly OwnWrites[], then: ServerMark, now: ServerMark): Counts => {
  const sum = { added: 0, changed: 0, removed: 0, definitions: 0 };
  for (const one of own) {
    const isOurs =
      one.life === then.life
        ? then.counts !== null && isBehind(one.from, then.counts)
        : one.life === now.life && now.continues?.from === then.life;
    if (isOurs) for (const name of countNames) sum[name] += one.own[name];
  }
  return sum;
};

const askCounts = async (session: SqlSession, of: "GLOBAL" | "SESSION"): Promise<Counts> =>
  countsOf((await session.ask(countsSql(of)))[0]);

/** For sessions that write into nothing but temporary tables of the server behind the stable name. */
export const watchOwnWrites = async (context: ServerContext): Promise<StageWatch> => {
  const data = await dataPathOf(context);
  const life = await lifeIn(data);
  return async (session) => {
    const from = await askCounts(session, "GLOBAL");
    let own: Counts | null = null;
    const note = async (): Promise<void> => {
      own = await askCounts(session, "SESSION");
    };
    const over = async (): Promise<void> => {
      // One that a statement of a person's has ended cannot be asked any more.
      await note().catch(() => undefined);
      if (own === null || life === null || life !== (await lifeIn(data))) return;
      await keep(context, { life, from, own }, (await serverRecord.recall(data))?.continues?.from ?? null);
    };
    return { note, over };
  };
};
