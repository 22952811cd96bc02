/**
 * Switches databases by their path. A process that has the old file open would go on with it under its new name, and may put a -wal
 * file of it beside the new one; so nobody may have either side open, and nobody gets in while the names are exchanged:
 *
 * 1. Who holds a file is looked up; somebody is waited for, then refused by name.
 * 2. Both sides are put right (-wal, journals) and the live one is locked, by a process of ours.
 * 3. Siblings that could not be put into their file go where it goes; then the names are exchanged in one act.
 * 4. Who has opened the old file since stands before the lock and has not read a byte: the names go back and it is refused.
 */
import type { Exchange, ExchangeObservation, SwitchOperations } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type FileIdentity, findFileHolders } from "../../platform/file-holders.ts";
import { lookAt } from "../../platform/path-names.ts";
import { createPathSwitching } from "../../platform/path-operations.ts";
import { describeProcess, listProcesses, relativesOf, systemdUnitOf } from "../../platform/process-table.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { type DatabaseFile, findDatabases, refuseLink } from "./database-files.ts";
import { moveSiblings, removeSiblings } from "./siblings.ts";
import { startTask } from "./run-task.ts";
import { type SqliteContext, type SqliteOptions, busyTimeoutOf, stablePathOf } from "./sqlite-options.ts";

const byPath = createPathSwitching<SqliteOptions>(stablePathOf);

const databasesAt = async (context: SqliteContext, path: string): Promise<readonly DatabaseFile[]> =>
  (await pathExists(path)) ? (await findDatabases(context, path)).databases : [];

const identitiesOf = async (databases: readonly DatabaseFile[]): Promise<readonly FileIdentity[]> =>
  (await Promise.all(databases.map(({ path }) => lookAt(path)))).filter((found) => found.kind === "object");

const namesShown = 5;

const heldBy = (context: SqliteContext, pids: readonly number[], what: string): RefloatError => {
  const shown = pids.slice(0, namesShown).map((pid) => {
    const unit = systemdUnitOf(pid);
    return `${describeProcess(pid)}${unit === null ? "" : ` of ${unit}`}`;
  });
  return new RefloatError("fence.failed", `${what} is held open by ${shown.join(", ")}`, {
    context: { component: context.component, pids: [...pids] },
    state: "the names were not exchanged",
    hint: `stop what holds it (kill ${pids.slice(0, namesShown).join(" ")}), or declare it as a process that uses \${${context.component}.path}: a recovery stops and starts those`,
    nextCommand: `refloat validate --live ${context.service}`,
  });
};

const pauseMs = 100;

/** Somebody who looks something up is done in a moment. */
const waitForNobody = async (context: SqliteContext, files: readonly FileIdentity[], what: string): Promise<void> => {
  const deadlineMs = context.clock.monotonicMs() + busyTimeoutOf(context);
  for (;;) {
    const { holders, unseen } = findFileHolders(files);
    if (holders.length === 0) {
      if (unseen > 0)
        context.log.warn(
          `${unseen} processes of other users cannot be looked into: whether one of them has ${what} open is told by SQLite's locks alone`,
        );
      return;
    }
    if (context.clock.monotonicMs() >= deadlineMs)
      throw heldBy(
        context,
        holders.map(({ pid }) => pid),
        what,
      );
    await context.clock.sleep(pauseMs, context.signal);
  }
};

type Sides = {
  readonly stable: string;
  readonly live: readonly DatabaseFile[];
  readonly incoming: readonly DatabaseFile[];
};

/** Runs `act` while nobody can read or write the live side. */
const whileLocked = async <Result>(
  context: SqliteContext,
  { live, incoming }: Sides,
  act: (holder: number) => Promise<Result>,
): Promise<Result> => {
  const task = startTask(context, "hold", {
    lock: live.map(({ path }) => path),
    settle: incoming.map(({ path }) => path),
    busyTimeoutMs: busyTimeoutOf(context),
  });
  try {
    await task.ready;
    return await act(task.pid);
  } finally {
    task.release();
    // Its own error has been thrown by `ready`; what a switch has made is not taken back for a lock that ended oddly.
    await task.result.catch(() => undefined);
  }
};

/** Siblings stand beside a file; in a folder they go with it. */
const isFile = ({ options }: SqliteContext): boolean => options.databases === undefined;

const exchangeOnce = async (
  context: SqliteContext,
  exchange: Exchange,
  expected: ExchangeObservation,
  stable: string,
) => {
  if (isFile(context)) await moveSiblings(stable, exchange.outgoing);
  const report = await byPath.exchange(context, exchange, expected);
  if (isFile(context)) await moveSiblings(exchange.incoming, stable);
  return report;
};

/** Whoever had opened the old side before the exchange would go on with it. */
const refuseLateComers = async (context: SqliteContext, exchange: Exchange, holder: number): Promise<void> => {
  const late = await identitiesOf(await databasesAt(context, exchange.outgoing));
  const { holders } = findFileHolders(late, [holder]);
  if (holders.length > 0)
    throw heldBy(
      context,
      holders.map(({ pid }) => pid),
      exchange.outgoing,
    );
};

const isSwitched = (seen: ExchangeObservation, expected: ExchangeObservation): boolean =>
  seen.stable === expected.incoming && seen.outgoing === expected.stable && seen.stable !== expected.stable;

export const sqliteSwitching: SwitchOperations<SqliteOptions> = {
  holders: async (context) => {
    const { holders } = findFileHolders(await identitiesOf(await databasesAt(context, await stablePathOf(context))));
    const table = holders.length === 0 ? [] : listProcesses();
    return holders.map((row) => ({
      pid: row.pid,
      relatives: relativesOf(row, table),
      words: describeProcess(row.pid),
    }));
  },

  observe: async (context, exchange) => {
    await refuseLink(await stablePathOf(context));
    return byPath.observe(context, exchange);
  },

  exchange: async (context, exchange, expected) => {
    const stable = await stablePathOf(context);
    const seen = await byPath.observe(context, exchange);
    if (isSwitched(seen, expected)) {
      // Made by a process that was killed right after it. What stands beside the stable name by now is the new side's.
      const report = await byPath.exchange(context, exchange, expected);
      if (isFile(context)) await moveSiblings(exchange.incoming, stable);
      await refuseLateComers(context, exchange, 0);
      return report;
    }
    const sides: Sides = {
      stable,
      live: await databasesAt(context, stable),
      incoming: await databasesAt(context, exchange.incoming),
    };
    const isExpected = seen.stable === expected.stable && seen.outgoing === expected.outgoing;
    // What is not as it was seen before is refused by the exchange itself, before anybody's files are touched.
    if (!isExpected || seen.incoming !== expected.incoming) return byPath.exchange(context, exchange, expected);
    await waitForNobody(context, await identitiesOf([...sides.live, ...sides.incoming]), stable);
    return whileLocked(context, sides, async (holder) => {
      const report = await exchangeOnce(context, exchange, expected, stable);
      try {
        await refuseLateComers(context, exchange, holder);
      } catch (error) {
        const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
        await exchangeOnce(context, back, await byPath.observe(context, back), stable);
        throw error;
      }
      return report;
    });
  },

  discard: async (context, outgoing) => {
    await byPath.discard(context, outgoing);
    await removeSiblings(outgoing);
  },
};
