/**
 * Restore of a point's database beside the live one, streaming from the vault. The order: refuse what cannot work, make the empty
 * database, roles, definitions, rows with their keys and indexes, the rest, grants; "whole" is said last.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { InstanceTarget } from "../../core/ports/driver.ts";
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { endEarlierAttempts } from "../../platform/postgres/application-name.ts";
import { parseDirectoryToc, type TocEntry } from "./archive-toc.ts";
import { capturedDetailSchema } from "./captured-detail.ts";
import { type ClientPrograms, connectionArgument, findClientPrograms, programEnvironment } from "./client-programs.ts";
import type { ConnectionTarget } from "../../platform/postgres/connection-target.ts";
import { withControlSession } from "./control-session.ts";
import { describeOrigin, type InstanceMark, parseComment } from "./instance-mark.ts";
import type { PostgresContext } from "./postgres-context.ts";
import { postgresLimits } from "./postgres-options.ts";
import { readMark, takeInstant } from "./position.ts";
import { loadSettings } from "./load-settings.ts";
import { clientProgramError } from "./program-errors.ts";
import { restoreContents } from "./restore-contents.ts";
import { createDatabase, examineTarget, finishDatabase, writeMark } from "./restore-database.ts";
import { formatRestoreList, planRestore } from "./restore-plan.ts";
import { createMissingRoles } from "./restore-roles.ts";
import { describeScheduler, hasScheduler } from "./scheduler.ts";
import { readServerVersion } from "../../platform/postgres/server-version.ts";
import type { Session } from "../../platform/postgres/session.ts";

type RestoreReport = { readonly sizeBytes: number; readonly summary: string; readonly warnings: readonly string[] };

/** pg_restore with nothing but the table of contents: it never sees a row. */
type ArchiveRunner = (step: string, entries: readonly TocEntry[]) => Promise<void>;

const archiveRunner = async (parts: {
  readonly context: PostgresContext;
  readonly target: ConnectionTarget;
  readonly programs: ClientPrograms;
  readonly toc: Uint8Array;
  readonly jobs: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly tablespaces: boolean;
}): Promise<ArchiveRunner> => {
  const { context, target, programs } = parts;
  const folder = join(context.workDirectory, "archive");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, "toc.dat"), parts.toc, { mode: 0o600 });
  return async (step, entries) => {
    if (entries.length === 0) return;
    const list = join(folder, `${step}.list`);
    await writeFile(list, formatRestoreList(entries), { mode: 0o600 });
    const jobs = step === "after" ? Math.min(parts.jobs, entries.length) : 1;
    try {
      await runProgram(
        programs.pgRestore,
        [
          "--format=directory",
          "--exit-on-error",
          "--no-password",
          `--use-list=${list}`,
          `--jobs=${jobs}`,
          ...(parts.tablespaces ? [] : ["--no-tablespaces"]),
          connectionArgument(target, context.marker),
          folder,
        ],
        {
          signal: context.signal,
          environment: programEnvironment(target, parts.settings),
          cleanEnvironment: true,
          marker: context.marker,
        },
      );
    } catch (error) {
      throw clientProgramError(error, target, "target");
    }
  };
};

const missingTablespaces = async (session: Session, wanted: readonly string[]): Promise<readonly string[]> => {
  const rows = await session.query<{ name: string }>("select spcname as name from pg_tablespace");
  const known = new Set(rows.map(({ name }) => name));
  return wanted.filter((name) => !known.has(name));
};

/** @throws RefloatError program.*, target.failed, source.denied, vault.damaged; a partial instance stays for the caller to drop */
export const restorePostgres = async (
  context: PostgresContext,
  instance: InstanceTarget,
  source: SnapshotReader,
  captured: CapturedComponent,
): Promise<RestoreReport> =>
  withControlSession(context, "target", async (control, live) => {
    const { facts, path: root } = captured;
    const detail = capturedDetailSchema.parse(facts.detail);
    const server = await readServerVersion(control);
    const target = { ...live, database: instance.name };
    const programs = await findClientPrograms(server.major, context.signal);
    const warnings = [
      ...(await examineTarget(control, detail.database, { captured: facts.versions["server"] ?? "0", server })),
    ];
    const tocBytes = await source.read(`${root}/toc.dat`);
    const plan = planRestore(parseDirectoryToc(tocBytes));
    const lost = await missingTablespaces(control, plan.tablespaces);
    if (lost.length > 0)
      warnings.push(`tablespaces are missing, their tables go to the default one: ${lost.join(", ")}`);

    if (hasScheduler(detail.database.extensions)) warnings.push(describeScheduler(facts));
    await endEarlierAttempts(control, context.marker, [instance.name]);
    warnings.push(...(await createMissingRoles(control, detail.database.roles)));
    const mark: InstanceMark = {
      run: instance.run,
      runUid: instance.runUid,
      state: "restoring",
      origin: describeOrigin(facts.position === undefined ? null : readMark(facts.position)),
      restored: null,
    };
    await createDatabase(control, instance, detail.database, server, mark);

    const { jobs } = postgresLimits(context.options);
    const settings = loadSettings(target, jobs);
    const restoreEntries = await archiveRunner({
      context,
      target,
      programs,
      jobs,
      settings,
      toc: tocBytes,
      tablespaces: lost.length === 0,
    });
    context.progress({ note: "definitions", bytesDone: 0, bytesTotal: facts.sizeBytes });
    await restoreEntries("before", plan.before);
    await restoreContents({
      context,
      target,
      source,
      root,
      facts,
      labels: detail.labels,
      plan,
      encoding: detail.encoding,
      knownTablespaces: new Set(plan.tablespaces.filter((name) => !lost.includes(name))),
      jobs,
      settings,
    });
    context.progress({
      bytesDone: facts.sizeBytes,
      bytesTotal: facts.sizeBytes,
      itemsDone: plan.tables.length,
      itemsTotal: plan.tables.length,
      unit: "tables",
      note: "triggers, views, grants",
    });
    await restoreEntries("after", plan.after);
    await finishDatabase(control, instance.name, detail.database);
    // All before was committed without waiting for the disk; this commit waits, and for all of it.
    await control.query("set synchronous_commit = on");
    const restored = await takeInstant(control, instance.name);
    const { own } = parseComment(detail.database.comment);
    await writeMark(control, instance.name, { ...mark, state: "whole", restored }, own);
    const summary = `${formatAmount(plan.tables.length, "tables")}, ${formatAmount(facts.counts["rows"] ?? 0, "rows")}`;
    return { sizeBytes: facts.sizeBytes, summary, warnings };
  });
