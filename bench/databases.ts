/**
 * `npm run bench -- databases [--json] [--rounds 3] [--scale 140] [--rate 150] [--hot 10] [--days 7]`: one PostgreSQL server of 2 GB under a bounded
 * write load, kept by Refloat and by pgBackRest, and as a dump by pg_dump and by Refloat, in turn, on the same machine.
 *
 * 1. In each round each takes a first, full capture into an empty repository, while the load goes on. Before each the load alone is looked at.
 * 2. Then days pass, which change a hundredth of the accounts each; on each both capture, as they do every day (pgBackRest incrementally).
 * 3. The load ends, and in each round each restores its newest capture and goes on to the end of the log, beside the live server. What comes back is
 *    compared with what is live, whole. A table of a hundredth of the data is dropped and brought back alone.
 *
 * Like for like: both compress by zstd at level 3 on two threads, encrypt, receive or archive the log all the time, begin with a fast checkpoint.
 * Only Refloat also verifies every byte of a restore against its hash, and the restored server by checks; its time to a running server ends
 * before those, and the whole is told as well.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { publishProgram } from "../scripts/published-program.ts";
import { Bank, Load, type Rate, smallTable } from "./databases/bank.ts";
import type { Contestant } from "./databases/contestant.ts";
import { DumpSide, LogicalRefloat } from "./databases/dump-side.ts";
import { LogLag } from "./databases/log-lag.ts";
import { pgBackRestSide } from "./databases/pgbackrest-side.ts";
import { refloatSide, slot } from "./databases/refloat-side.ts";
import { type Measured, median } from "./recovery/measured-process.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    scale: { type: "string", default: "140" },
    rate: { type: "string", default: "150" },
    hot: { type: "string", default: "10" },
    days: { type: "string", default: "7" },
  },
});
const positive = z.coerce.number().int().positive();
const rounds = positive.parse(values.rounds);
const rate = positive.parse(values.rate);
const days = positive.parse(values.days);
const size = { scale: positive.parse(values.scale), hot: positive.max(100).parse(values.hot) };

const quietMs = 8000;

const tell = (message: string): void => {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${message}\n`);
};
const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

/** Each round begins with another one, so that none always finds the warmer machine. */
const turns = <Item>(items: readonly Item[], round: number): readonly Item[] => {
  const begin = round % items.length;
  return [...items.slice(begin), ...items.slice(0, begin)];
};

type Kind = "first" | "daily";
type Span = { readonly fromMs: number; readonly toMs: number };
type Captured = {
  readonly by: string;
  readonly kind: Kind;
  readonly wallMs: number;
  readonly quiet: Span;
  readonly busy: Span;
};
type Loaded = Captured & { readonly quietRate: Rate; readonly busyRate: Rate };

/** One capture, and the load alone before it. */
const captureUnderLoad = async (by: string, kind: Kind, act: () => Promise<Measured>): Promise<Captured> => {
  spawnSync("sync");
  const quietFrom = Date.now();
  await sleep(quietMs);
  const busyFrom = Date.now();
  const { wallMs, cpuMs } = await act();
  const busyTo = Date.now();
  tell(`${by.padEnd(16)}${kind} capture ${seconds(wallMs)}, processor ${seconds(cpuMs)}`);
  return {
    by,
    kind,
    wallMs,
    quiet: { fromMs: quietFrom, toMs: busyFrom },
    busy: { fromMs: busyFrom, toMs: busyTo },
  };
};

type Sides = {
  readonly bank: Bank;
  readonly physical: readonly Contestant[];
  readonly dump: DumpSide;
  readonly logical: LogicalRefloat;
};

/** Rounds of first captures, then the days; the repositories of the last round are kept. */
const captureAll = async ({ bank, physical, dump, logical }: Sides, folder: string) => {
  const captured: Captured[] = [];
  const load = await Load.begin(bank, rate, join(folder, "load"));
  for (let round = 0; round < rounds; round += 1) {
    tell(`captures, round ${round + 1} of ${rounds}`);
    for (const { begin } of physical) await begin();
    await logical.begin();
    const acts: readonly (readonly [string, () => Promise<Measured>])[] = [
      ...physical.map(({ name, capture }) => [name, capture] as const),
      ["pg_dump", () => dump.capture()],
      ["refloat_logical", () => logical.capture()],
    ];
    for (const [name, act] of turns(acts, round)) captured.push(await captureUnderLoad(name, "first", act));
  }
  const lag = await LogLag.begin(bank.url, slot);
  for (let day = 1; day < days; day += 1) {
    await bank.passDay();
    for (const { name, capture } of turns(physical, day)) captured.push(await captureUnderLoad(name, "daily", capture));
    tell(`day ${day + 1}: ${physical.map(({ name, bytes }) => `${name} ${megabytes(bytes())} MB`).join(", ")}`);
  }
  if (days === 1) await sleep(2 * quietMs);
  const lags = await lag.end();
  const rateBetween = await load.end();
  const loaded = captured.map((one): Loaded => ({
    ...one,
    quietRate: rateBetween(one.quiet.fromMs, one.quiet.toMs),
    busyRate: rateBetween(one.busy.fromMs, one.busy.toMs),
  }));
  return { loaded, lags };
};

type Restored = { readonly by: string; readonly ms: number; readonly wholeMs: number };

const restoreAll = async ({ bank, physical, dump }: Sides): Promise<readonly Restored[]> => {
  const restored: Restored[] = [];
  const live = await Bank.contentOf(bank.url);
  const requireSame = async (by: string, url: string): Promise<void> => {
    const content = await Bank.contentOf(url);
    if (content !== live) throw new Error(`${by} has restored ${content}, and live is ${live}`);
  };
  const take = (by: string, ms: number, wholeMs: number): void => {
    restored.push({ by, ms, wholeMs });
    tell(`${by.padEnd(16)}restore ${seconds(ms)}`);
  };
  await dump.capture();
  const acts: readonly (() => Promise<void>)[] = [
    ...physical.map(({ name, restore }) => async () => {
      const { runningMs, wholeMs, url, remove } = await restore();
      take(name, runningMs, wholeMs);
      await requireSame(name, url);
      await remove();
    }),
    async () => {
      const { wallMs, url } = await dump.restore();
      take("pg_restore", wallMs, wallMs);
      await requireSame("pg_restore", url);
      await dump.remove();
    },
  ];
  for (let round = 0; round < rounds; round += 1) {
    tell(`restores, round ${round + 1} of ${rounds}`);
    for (const act of turns(acts, round)) {
      // The restore before may have been one into the live server, whose log is still on its way.
      for (const { awaitLog } of physical) await awaitLog();
      spawnSync("sync");
      await act();
    }
  }
  return restored;
};

/** One table alone, where it was dropped. */
const restoreTable = async ({ bank, dump, logical }: Sides): Promise<readonly Restored[]> => {
  const restored: Restored[] = [];
  const content = () => bank.ask(`select count(*), sum(hashtext(t::text)::bigint) from ${smallTable} t`);
  const live = JSON.stringify(await content());
  await logical.capture();
  const acts = [
    ["refloat", () => logical.restoreTable()],
    ["pg_restore", () => dump.restoreTable()],
  ] as const;
  for (let round = 0; round < rounds; round += 1) {
    for (const [by, act] of turns(acts, round)) {
      await bank.ask(`drop table ${smallTable}`);
      spawnSync("sync");
      const { wallMs } = await act();
      restored.push({ by, ms: wallMs, wholeMs: wallMs });
      tell(`${by.padEnd(16)}one table ${seconds(wallMs)}`);
      if (JSON.stringify(await content()) !== live) throw new Error(`${by} has brought back another table`);
    }
  }
  return restored;
};

const medianOf = <Item>(items: readonly Item[], by: (item: Item) => boolean, figure: (item: Item) => number): number =>
  median(items.filter(by).map(figure));

const captureFigures = (loaded: readonly Loaded[], by: string, kind: Kind) => {
  const of = (figure: (one: Loaded) => number): number =>
    medianOf(loaded, (one) => one.by === by && one.kind === kind, figure);
  const name = `${by}_${kind}_capture`;
  return {
    [`${name}_s`]: rounded(of(({ wallMs }) => wallMs) / 1000),
    [`${name}_transactions_lost_pct`]: rounded(
      of(({ quietRate, busyRate }) => 100 * (1 - busyRate.perSecond / quietRate.perSecond)),
      1,
    ),
    [`${name}_latency_ms`]: rounded(
      of(({ busyRate }) => busyRate.latencyMs),
      1,
    ),
    [`${name}_quiet_latency_ms`]: rounded(
      of(({ quietRate }) => quietRate.latencyMs),
      1,
    ),
  };
};

const run = async () => {
  const folder = await mkdtemp(join(await realpath("/var/tmp"), "refloat-bench-"));
  // PostgreSQL runs as another user than root and must be able to pass.
  await chmod(folder, 0o755);
  let bank: Bank | undefined;
  const physical: Contestant[] = [];
  try {
    tell(`making a database of scale ${size.scale}, and the program as it is published`);
    const program = await publishProgram(join(folder, "program"));
    bank = await Bank.open(join(folder, "server"), size);
    const sizes = await bank.sizes();
    tell(`${megabytes(sizes.all)} MB, of which the one table ${megabytes(sizes.table)} MB`);
    const password = randomBytes(24).toString("base64url");
    const refloat = await refloatSide(bank, { folder: join(folder, "refloat"), program, password });
    const other = pgBackRestSide(bank, join(folder, "pgbackrest"), password);
    physical.push(refloat, other);
    const sides: Sides = {
      bank,
      physical,
      dump: new DumpSide(bank, folder),
      logical: new LogicalRefloat(bank, { folder: join(folder, "refloat-logical"), program, password }),
    };
    const { loaded, lags } = await captureAll(sides, folder);
    const restored = await restoreAll(sides);
    const [space, otherSpace] = [refloat.bytes(), other.bytes()];
    const tables = await restoreTable(sides);
    const capture = (by: string): number =>
      medianOf(
        loaded,
        (one) => one.by === by && one.kind === "first",
        ({ wallMs }) => wallMs,
      );
    const restore = (by: string): number =>
      medianOf(
        restored,
        (one) => one.by === by,
        ({ ms }) => ms,
      );
    const table = (by: string): number =>
      medianOf(
        tables,
        (one) => one.by === by,
        ({ ms }) => ms,
      );
    return {
      bench: "databases",
      ratios: {
        restore_vs_pgbackrest: rounded(restore("refloat") / restore("pgbackrest")),
        base_capture_vs_pgbackrest: rounded(capture("refloat") / capture("pgbackrest")),
        seven_captures_space_vs_pgbackrest: rounded(space / otherSpace),
        one_table_vs_full: rounded(table("refloat") / restore("refloat")),
      },
      figures: {
        wal_lag_s: rounded(lags.received.worstS),
        wal_lag_median_s: rounded(lags.received.medianS),
        wal_lag_p95_s: rounded(lags.received.p95S),
        pgbackrest_wal_lag_s: rounded(lags.archived.worstS),
        pgbackrest_wal_lag_median_s: rounded(lags.archived.medianS),
        refloat_restore_s: rounded(restore("refloat") / 1000),
        refloat_restore_checked_s: rounded(
          medianOf(
            restored,
            ({ by }) => by === "refloat",
            ({ wholeMs }) => wholeMs,
          ) / 1000,
        ),
        pgbackrest_restore_s: rounded(restore("pgbackrest") / 1000),
        pgbackrest_restore_files_s: rounded(
          medianOf(
            restored,
            ({ by }) => by === "pgbackrest",
            ({ wholeMs }) => wholeMs,
          ) / 1000,
        ),
        pg_restore_s: rounded(restore("pg_restore") / 1000),
        refloat_one_table_s: rounded(table("refloat") / 1000),
        pg_restore_one_table_s: rounded(table("pg_restore") / 1000),
        ...Object.assign(
          {},
          ...["refloat", "pgbackrest", "pg_dump", "refloat_logical"].map((by) => captureFigures(loaded, by, "first")),
          ...(days > 1 ? ["refloat", "pgbackrest"].map((by) => captureFigures(loaded, by, "daily")) : []),
        ),
        refloat_space_mb: megabytes(space),
        refloat_captures_space_mb: megabytes(refloat.captureBytes()),
        pgbackrest_space_mb: megabytes(otherSpace),
        pgbackrest_captures_space_mb: megabytes(other.captureBytes()),
        peak_rss_mb: megabytes(refloat.peakRssBytes()),
        database_mb: megabytes(sizes.all),
        table_mb: megabytes(sizes.table),
        rate_per_s: rate,
        hot_pct: size.hot,
        days,
        rounds,
      },
    };
  } finally {
    for (const { end } of physical) await end().catch((error: unknown) => tell(String(error)));
    await bank?.server.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

const summary = await run();
if (!values.json) {
  const lines = Object.entries({ ...summary.ratios, ...summary.figures }).map(
    ([name, value]) => `${name.padEnd(52)}${String(value)}`,
  );
  process.stdout.write([`ratios first; medians of ${rounds}, caches warm, one host:`, ...lines, ""].join("\n"));
}
process.stdout.write(`${JSON.stringify(summary)}\n`);
