/** Where a server stands: by its own counts and its binary log. Of one that is stopped, by the files of its log alone. */
import { lstat, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Position } from "../../../model/facts.ts";
import { toJsonObject } from "../../../model/json.ts";
import { type Row, type SqlAccess, numberOf, runSql, textOf } from "../sql-client.ts";
import { type Counts, type ServerMark, serverMarkSchema } from "./captured-server.ts";
import { findServer } from "./server-process.ts";
import { serverRecord } from "./start-record.ts";

export const makePosition = (takenAt: Date, mark: ServerMark): Position => ({
  takenAt: takenAt.toISOString(),
  mark: toJsonObject(mark),
});

export const readMark = (position: Position): ServerMark => serverMarkSchema.parse(position.mark);

/** Of the whole server since it was started, or of one session since it began. */
export const countsSql = (of: "GLOBAL" | "SESSION"): string => `
SELECT SUM(IF(VARIABLE_NAME = 'HANDLER_WRITE', VARIABLE_VALUE, 0)) AS added,
       SUM(IF(VARIABLE_NAME = 'HANDLER_UPDATE', VARIABLE_VALUE, 0)) AS changed,
       SUM(IF(VARIABLE_NAME = 'HANDLER_DELETE', VARIABLE_VALUE, 0)) AS removed,
       SUM(IF(VARIABLE_NAME REGEXP '^COM_(CREATE|ALTER|DROP|RENAME|TRUNCATE|GRANT|REVOKE|SET_PASSWORD|INSTALL|UNINSTALL|LOAD)', VARIABLE_VALUE, 0)) AS definitions
  FROM information_schema.${of}_STATUS
 WHERE VARIABLE_NAME IN ('HANDLER_WRITE', 'HANDLER_UPDATE', 'HANDLER_DELETE') OR VARIABLE_NAME LIKE 'COM\\_%';`;

export const countsOf = (row: Row | undefined): Counts => ({
  added: numberOf(row, "added"),
  changed: numberOf(row, "changed"),
  removed: numberOf(row, "removed"),
  definitions: numberOf(row, "definitions"),
});

/** Of the process that works in a folder; null when none does. */
export const lifeIn = async (folder: string): Promise<string | null> => {
  const running = await findServer(folder);
  return running === null ? null : `${running.pid}/${running.startTicks}`;
};

/** @param folder of the server that is asked: its process is what counts */
export const takeMark = async (access: SqlAccess, folder: string, hasBinlog: boolean): Promise<ServerMark> => {
  const [counts, log] = (
    await runSql(access, `${countsSql("GLOBAL")}${hasBinlog ? "\nSHOW MASTER STATUS;" : ""}`)
  ).slice(hasBinlog ? -2 : -1);
  const [row] = counts ?? [];
  const [place] = log ?? [];
  const life = await lifeIn(folder);
  const continues = (await serverRecord.recall(folder))?.continues ?? null;
  return {
    life,
    continues: continues === null || life === null || continues.life !== life ? null : continues,
    counts: countsOf(row),
    binlog: place === undefined ? null : { file: textOf(place, "File"), position: numberOf(place, "Position") },
  };
};

/** Of a folder on which no server runs: the last file that its index names, where that lies in the folder. */
export const stoppedMark = async (folder: string): Promise<ServerMark> => {
  const names = await readdir(folder).catch(() => []);
  const index = names.find((name) => name.endsWith(".index"));
  const listed = index === undefined ? "" : await readFile(join(folder, index), "utf8");
  const file = (listed.trimEnd().split("\n").at(-1) ?? "").replace(/^\.\//, "");
  const found = file === "" || file.includes("/") ? null : await lstat(join(folder, file)).catch(() => null);
  return { life: null, counts: null, continues: null, binlog: found === null ? null : { file, position: found.size } };
};
