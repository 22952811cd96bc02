/**
 * `npm run bench -- recovery [--json] [--rounds 3] [--orders 1600000]`: one three-tier service, recovered whole by Refloat and by what a
 * careful administrator's script does, in turn, on the same machine with the same data. Prints medians and their ratio. Both restore
 * to a new location, start the application on it, look at it and direct the proxy; only Refloat also verifies every byte against the
 * vault, compares the result with the facts of the point, keeps the old side and can undo.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, chmod, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { withClient } from "../examples/shop/stage/database.ts";
import { endProcessesIn } from "../examples/shop/stage/processes.ts";
import { readProxyPort } from "../examples/shop/stage/proxy.ts";
import { Shop } from "../examples/shop/stage/shop.ts";
import { Administrator } from "./recovery/administrator.ts";
import { type Measured, median } from "./recovery/measured-process.ts";
import { type RefloatRecovery, RefloatSide, idleMs } from "./recovery/refloat-side.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    orders: { type: "string", default: "1600000" },
    files: { type: "string", default: "20000" },
  },
});
const positive = z.coerce.number().int().positive();
const rounds = positive.parse(values.rounds);
const size = { orders: positive.parse(values.orders), invoices: positive.parse(values.files) };

const tell = (message: string): void => {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${message}\n`);
};
const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)}s`;
const inMegabytes = (bytes: number): number => Math.round(bytes / 1e6);

const measureSize = (shop: Shop): Promise<number> =>
  withClient(shop.databaseUrl(), async (client) => {
    const { rows } = await client.query("select pg_database_size(current_database())::float8 as bytes");
    return z.object({ bytes: z.number() }).parse(rows[0]).bytes;
  });

/** Where the time went: before the run (start, key, plan), and its slowest steps, which may have run side by side. */
const slowestSteps = ({ run, wallMs }: RefloatRecovery): string => {
  const steps = [...run.steps].sort((a, b) => b.durationMs - a.durationMs).slice(0, 6);
  const around = wallMs - idleMs(run).total;
  return [
    `around the run ${inSeconds(around)}`,
    ...steps.map(({ id, durationMs }) => `${id} ${inSeconds(durationMs)}`),
  ].join(", ");
};

type Rounds = { readonly ours: readonly RefloatRecovery[]; readonly script: readonly Measured[] };

const otherPort = (shop: Shop, live: number): number => {
  const [first, second] = shop.appPorts;
  return live === first ? second : first;
};

/** Each round begins with the other side, so that neither always finds the warmer machine. */
const race = async (shop: Shop, refloat: RefloatSide, administrator: Administrator): Promise<Rounds> => {
  const ours: RefloatRecovery[] = [];
  const script: Measured[] = [];
  const runOurs = async (): Promise<void> => {
    const recovery = await refloat.recover();
    ours.push(recovery);
    tell(
      `Refloat ${inSeconds(recovery.wallMs)}, peak ${inMegabytes(recovery.peakRssBytes)} MB: ${slowestSteps(recovery)}`,
    );
    await refloat.reset(recovery);
  };
  const runScript = async (): Promise<void> => {
    const live = await readProxyPort(shop.proxy.socket);
    const recovery = await administrator.recover(otherPort(shop, live));
    script.push(recovery);
    tell(`script ${inSeconds(recovery.wallMs)}`);
    await administrator.reset(live);
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const run of round % 2 === 0 ? [runOurs, runScript] : [runScript, runOurs]) await run();
  }
  return { ours, script };
};

const summarise = (result: Rounds, databaseBytes: number) => {
  const oursMs = median(result.ours.map(({ wallMs }) => wallMs));
  const scriptMs = median(result.script.map(({ wallMs }) => wallMs));
  const aroundMs = median(result.ours.map(({ run, wallMs }) => wallMs - idleMs(run).total));
  const overheads = result.ours.map(({ run }) => idleMs(run)).map(({ idle, total }) => (100 * idle) / total);
  const round = (value: number, digits = 3): number => Number(value.toFixed(digits));
  return {
    bench: "recovery",
    ratios: { recovery_vs_script: round(oursMs / scriptMs) },
    figures: {
      overhead_pct: round(median(overheads)),
      /** Start of the program, key, plan, and its end: no part of the run, and of its overhead. */
      around_s: round(aroundMs / 1000),
      peak_rss_mb: inMegabytes(Math.max(...result.ours.map(({ peakRssBytes }) => peakRssBytes))),
      refloat_s: round(oursMs / 1000),
      script_s: round(scriptMs / 1000),
      database_mb: inMegabytes(databaseBytes),
      files: size.invoices,
      rounds,
    },
  };
};

const run = async () => {
  const folder = await mkdtemp(join(await realpath("/var/tmp"), "refloat-bench-"));
  // PostgreSQL runs as another user than root and must be able to pass.
  await chmod(folder, 0o755);
  try {
    const shop = await Shop.open({ folder: join(folder, "shop"), ...size, tell });
    const passwordFile = join(folder, "password");
    await writeFile(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
    const databaseBytes = await measureSize(shop);
    tell(`database ${inMegabytes(databaseBytes)} MB, ${size.invoices} files; capturing for both sides`);
    const administrator = await Administrator.prepare(shop, join(folder, "administrator"), passwordFile);
    const refloat = await RefloatSide.prepare(shop, join(folder, "refloat"), passwordFile);
    return summarise(await race(shop, refloat, administrator), databaseBytes);
  } finally {
    await endProcessesIn(folder);
    await rm(folder, { recursive: true, force: true });
  }
};

const summary = await run();
if (values.json) {
  process.stdout.write(`${JSON.stringify(summary)}\n`);
} else {
  const { figures, ratios } = summary;
  process.stdout.write(
    [
      `Refloat ${figures.refloat_s}s, script ${figures.script_s}s: ratio ${ratios.recovery_vs_script} (medians of ${rounds}, caches warm, one host)`,
      `peak memory of Refloat's process ${figures.peak_rss_mb} MB; ${figures.overhead_pct} % of a run is orchestration; start, key and plan take ${figures.around_s}s before it`,
      JSON.stringify(summary),
      "",
    ].join("\n"),
  );
}
