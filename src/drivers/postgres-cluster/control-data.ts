/** What the control file of a cluster says, running or not: read by the server's own program. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { type Owner, hearAsOwner, ownerOf } from "../../platform/folder-server/folder-owner.ts";
import { findServerPrograms } from "./server-programs.ts";

export type ControlData = {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** `in production`, `shut down`, `in archive recovery`, ... */
  readonly state: string;
  /** Of the latest checkpoint: of a cluster that was shut down, the end of its log. */
  readonly position: string;
  /** The file of the log that its replay begins with. */
  readonly redoFile: string;
  /** As of the latest checkpoint, with its epoch. */
  readonly nextTransaction: bigint;
  /** Settings that must be at least as large where its log is replayed. */
  readonly settings: Readonly<Record<string, string>>;
};

/** Major version of the cluster in a folder. @throws RefloatError source.failed when there is none */
export const readMajor = async (folder: string): Promise<number> => {
  try {
    return Number.parseInt(await readFile(join(folder, "PG_VERSION"), "utf8"), 10);
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new RefloatError(
      "source.failed",
      `${folder} is no data folder of PostgreSQL: its PG_VERSION cannot be read (${code})`,
      {
        cause: error,
      },
    );
  }
};

/** `2:734`. */
const withEpoch = (text: string): bigint => {
  const [epoch = "0", id = "0"] = text.split(":");
  return (BigInt(epoch) << 32n) + BigInt(id);
};

const settingLine = /^(max_\w+|wal_level|track_commit_timestamp) setting$/;

const askControlData = async (
  context: ClusterContext,
  owner: Pick<Owner, "user">,
  program: string,
  folder: string,
): Promise<string> => {
  const damaged = (how: string, cause?: unknown): RefloatError =>
    new RefloatError("source.failed", `the control file of ${folder} is damaged: ${how}`, { cause });
  try {
    const { stdout, stderr } = await hearAsOwner(context, owner, [program, "-D", folder]);
    // It goes on to tell what it cannot know; from release 17 on it warns on the other stream.
    const doubt = /warning: *(.*)/i.exec(`${stderr}\n${stdout}`)?.[1];
    if (doubt === undefined) return stdout;
    throw damaged(doubt);
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    throw damaged(error.message, error);
  }
};

/** @throws RefloatError source.failed, program.missing */
export const readControlData = async (
  context: ClusterContext,
  folder: string,
  as?: Pick<Owner, "user">,
): Promise<ControlData> => {
  const programs = await findServerPrograms(context, await readMajor(folder));
  const owner = as ?? (await ownerOf(folder, context.signal));
  const said = await askControlData(context, owner, join(programs, "pg_controldata"), folder);
  const values = new Map(
    said.split("\n").flatMap((line) => {
      const colon = line.indexOf(":");
      return colon === -1 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const];
    }),
  );
  const valueOf = (key: string): string => {
    const value = values.get(key);
    if (value !== undefined) return value;
    throw new RefloatError("source.failed", `pg_controldata does not tell the ${key} of ${folder}`);
  };
  return {
    systemIdentifier: valueOf("Database system identifier"),
    timeline: Number(valueOf("Latest checkpoint's TimeLineID")),
    state: valueOf("Database cluster state"),
    position: valueOf("Latest checkpoint location"),
    redoFile: valueOf("Latest checkpoint's REDO WAL file"),
    nextTransaction: withEpoch(valueOf("Latest checkpoint's NextXID")),
    settings: Object.fromEntries(
      [...values].flatMap(([key, value]) => {
        const name = settingLine.exec(key)?.[1];
        return name === undefined ? [] : [[name, value] as const];
      }),
    ),
  };
};
