/** What `validate --live` says of databases: can they be read, copied, restored beside and switched. Changes nothing. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { formatBytes } from "../../core/text/quantity.ts";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { findFileHolders } from "../../platform/file-holders.ts";
import { mountFindings } from "../../platform/postgres/preflight-finding.ts";
import { exchangeAbility } from "../../platform/path-exchange.ts";
import { lookAt } from "../../platform/path-names.ts";
import { describeProcess } from "../../platform/process-table.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { copyBytes, freeBytes } from "./capture.ts";
import { type DatabaseFiles, findDatabases, refuseOthers } from "./database-files.ts";
import { readStamps } from "./file-stamps.ts";
import { runTask } from "./run-task.ts";
import { scratchParent } from "./scratch-folder.ts";
import { type SqliteContext, busyTimeoutOf, stablePathOf } from "./sqlite-options.ts";

type Finding = PreflightReport["findings"][number];

const failure = (subject: string, error: unknown): Finding => {
  if (!(error instanceof RefloatError)) return { ok: false, subject, found: describeSystemError(error) };
  if (error.code === "bug") throw error;
  const { message, hint, nextCommand } = error;
  return {
    ok: false,
    subject,
    found: message,
    ...(hint === undefined ? {} : { hint }),
    ...(nextCommand === undefined ? {} : { nextCommand }),
  };
};

const databaseFindings = async (context: SqliteContext, files: DatabaseFiles): Promise<readonly Finding[]> => {
  const looks = await runTask(context, "look", { databases: files.databases, busyTimeoutMs: busyTimeoutOf(context) });
  const paths = new Map(files.databases.map(({ name, path }) => [name, path]));
  return looks.flatMap(({ name, sizeBytes, journalMode, tables, unreadable }): readonly Finding[] => {
    const subject = paths.get(name) ?? name;
    const waits = journalMode === "wal" ? "" : ", so a commit waits while what changed is copied";
    const found = `${countOf(tables, "table")}, ${formatBytes(sizeBytes)}, journal mode ${journalMode}${waits}`;
    return [
      { ok: true, subject, found },
      ...unreadable.map(({ name: table, why }) => ({
        ok: true,
        subject: `${subject}: ${table}`,
        found: `is captured and cannot be counted here: ${why}`,
      })),
    ];
  });
};

const roomFinding = async (context: SqliteContext, files: DatabaseFiles): Promise<Finding> => {
  const folder = await scratchParent(context, files.root);
  const [needed, free] = [copyBytes(await readStamps(files.databases)), await freeBytes(folder)];
  const found = `a capture makes a copy here: at most ${formatBytes(needed)}, ${formatBytes(free)} are free`;
  return needed <= free
    ? { ok: true, subject: folder, found }
    : {
        ok: false,
        subject: folder,
        found,
        hint: "make room, or name a folder on another file system: scratch:",
        only: "capture",
      };
};

const folderFindings = async (context: SqliteContext, root: string): Promise<readonly Finding[]> => {
  const findings: Finding[] = [];
  for (const folder of new Set([dirname(root), await scratchParent(context, root)])) {
    const refused = await access(folder, constants.W_OK | constants.X_OK).then(() => null, describeSystemError);
    const found = "a copy and a restored database can be put here";
    findings.push(
      refused === null
        ? { ok: true, subject: folder, found }
        : { ok: false, subject: folder, found: `nothing can be put beside the live database: ${refused}` },
    );
  }
  findings.push(...(await mountFindings(root)));
  const ability = await exchangeAbility(context.workDirectory, context.signal);
  const found = ability.atomic
    ? "is switched atomically, by renameat2"
    : `is switched by two renames, with an instant at which it does not exist: ${ability.why}`;
  return [...findings, { ok: true, subject: root, found }];
};

/** Whom a recovery would have to get out of the way. */
const holderFindings = async (context: SqliteContext, files: DatabaseFiles): Promise<readonly Finding[]> => {
  const found = await Promise.all(files.databases.map(({ path }) => lookAt(path)));
  const { holders, unseen } = findFileHolders(found.filter((one) => one.kind === "object"));
  const subject = files.root;
  const open: Finding[] =
    holders.length === 0
      ? []
      : [
          {
            ok: true,
            subject,
            found: `is open in ${holders.map(({ pid }) => describeProcess(pid)).join(", ")}: what a recovery does not stop itself, as a declared process that uses \${${context.component}.path}, has to be stopped before`,
          },
        ];
  if (unseen === 0) return open;
  return [
    ...open,
    {
      ok: true,
      subject,
      found: `${countOf(unseen, "process")} of other users cannot be looked into: only root sees whether one of them has it open`,
    },
  ];
};

const commandsFor = (files: DatabaseFiles, scratch: string) => ({
  commands: [
    ...(files.databases.length > 1 ? ["BEGIN IMMEDIATE;  -- of all databases, until their snapshots are taken"] : []),
    "BEGIN; SELECT count(*) FROM sqlite_schema;  -- held while it is copied",
    `cp --reflink=auto -- ${files.root} ${scratch}/COPY`,
    "PRAGMA integrity_check; PRAGMA foreign_key_check; SELECT * FROM (every table);  -- of the copy",
  ],
  recoveryCommands: [
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA wal_checkpoint(TRUNCATE);",
    `renameat2 ${files.root} ${files.root}.oldN  -- exchanges the two names`,
  ],
});

const grantsFor = ({ root }: DatabaseFiles): readonly string[] => {
  if (process.getuid?.() === 0) return [];
  const user = userInfo().username;
  return [`setfacl -m u:${user}:rwx,d:u:${user}:rw ${dirname(root)}`, `setfacl -R -m u:${user}:rwX ${root}`];
};

const nothing = { commands: [], recoveryCommands: [], grants: [] };

export const preflightSqlite = async (context: SqliteContext): Promise<PreflightReport> => {
  const root = await stablePathOf(context);
  const findings: Finding[] = [];
  const ask = async (subject: string, look: () => Promise<readonly Finding[]>): Promise<void> => {
    try {
      findings.push(...(await look()));
    } catch (error) {
      context.signal.throwIfAborted();
      findings.push(failure(subject, error));
    }
  };
  let files: DatabaseFiles;
  try {
    files = await findDatabases(context, root);
  } catch (error) {
    context.signal.throwIfAborted();
    return { findings: [failure(root, error)], ...nothing };
  }
  await ask(root, async () => {
    refuseOthers(files);
    return [];
  });
  await ask(root, () => databaseFindings(context, files));
  await ask(root, async () => [await roomFinding(context, files)]);
  await ask(root, () => folderFindings(context, root));
  await ask(root, () => holderFindings(context, files));
  return { findings, ...commandsFor(files, await scratchParent(context, root)), grants: grantsFor(files) };
};
