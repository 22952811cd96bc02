/**
 * The story: a shop is open, its schedule takes a point, minutes later an upgrade corrupts prices while pages answer 200, customers notice,
 * and only the database is recovered while the upgraded application stays. All of it is real but two things: a script stands in for cron,
 * and the operator needs seconds for a decision that takes longer in life.
 */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { Customers } from "../../examples/shop/load/customers.ts";
import type { Incident } from "../../examples/shop/load/incident-watch.ts";
import { writeDeclaration } from "../../examples/shop/stage/declaration.ts";
import { Shop } from "../../examples/shop/stage/shop.ts";
import { formatDuration } from "../../src/core/time/duration.ts";
import { type ScheduledPoint, withCron } from "./cron.ts";
import type { DemoFolder } from "./demo-folder.ts";
import {
  type Finding,
  type ShopAccount,
  accountForOrders,
  countFreeProducts,
  examineKeptDatabases,
} from "./evidence.ts";
import { RefloatCommand } from "./refloat-command.ts";
import { type Screen, count, seconds, timeOfDay } from "./screen.ts";

export const shopSize = { orders: 214_000, invoices: 5_200 };
const ordersPerSecond = 38;
/** How old the scheduled point is when the upgrade comes. */
const pointAgeMs = 120_000;
const tellEveryMs = 15_000;
const decisionMs = 3_000;
const calm = { durationMs: 2_000, answers: 40 };

export type StoryParts = {
  readonly folder: DemoFolder;
  readonly screen: Screen;
  readonly signal: AbortSignal;
};

export type StoryResult = {
  readonly findings: readonly Finding[];
  readonly rtoActualMs: number;
  readonly rpoActualMs: number;
  readonly steps: readonly { readonly id: string; readonly state: string; readonly durationMs: number }[];
  readonly phases: Readonly<Record<string, number>>;
  readonly orders: ShopAccount;
};

const stepSchema = z.object({
  id: z.string(),
  state: z.string(),
  durationMs: z.number(),
  beganAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  output: z.record(z.string(), z.unknown()).nullable(),
});
const runSchema = z.object({
  record: z.object({ number: z.int(), state: z.string(), beganAt: z.string(), steps: z.array(stepSchema) }),
  plan: z.object({
    intent: z.object({
      point: z.object({ id: z.string(), consistentAt: z.iso.datetime() }),
      steps: z.array(z.object({ id: z.string(), phase: z.string() })),
    }),
  }),
});
type RunDetail = z.infer<typeof runSchema>;

/** Opens the shop and lets customers in; both are handed to `work` and closed after it, whatever happens. */
export const withOpenShop = async <T>(
  { folder, screen }: StoryParts,
  keepRunning: boolean,
  work: (shop: Shop, customers: Customers) => Promise<T>,
): Promise<T> => {
  const shop = await Shop.open({ ...shopSize, folder: folder.shop, tell: screen.event });
  try {
    const customers = new Customers({
      url: shop.url,
      ordersPerSecond,
      logPath: folder.customersLog,
      calm,
      patienceMs: 5_000,
    });
    try {
      await customers.begin();
      screen.event(
        `shop open on ${shop.url}: PostgreSQL, app, HAProxy; ${count(shopSize.orders)} orders, ${count(shopSize.invoices)} invoices`,
      );
      return await work(shop, customers);
    } finally {
      await customers.end();
    }
  } finally {
    if (!keepRunning) await shop.close();
  }
};

/** The whole story on an open shop. */
export const tellStory = async (parts: StoryParts, shop: Shop, customers: Customers): Promise<StoryResult> => {
  const refloat = new RefloatCommand(parts.folder, parts.screen, parts.signal);
  await declareShop(parts, shop, refloat);
  return withCron(parts, "shop", async (scheduled) => {
    await refloat.show(["status"]);
    await doBusiness(parts, customers, scheduled);
    return breakAndRecover(parts, shop, customers, { refloat, scheduled });
  });
};

const breakAndRecover = async (
  parts: StoryParts,
  shop: Shop,
  customers: Customers,
  { refloat, scheduled }: { readonly refloat: RefloatCommand; readonly scheduled: ScheduledPoint },
): Promise<StoryResult> => {
  const incident = await upgradeWrongly(parts, shop, customers);
  const upgradeAt = new Date(Math.floor(incident.upgradeAt.getTime() / 1000) * 1000);
  const request = ["shop", "--at", timeOfDay(upgradeAt), "--only", "db"];
  await refloat.show(["plan", ...request]);
  await correctMigration(parts, shop);
  await refloat.show(["recover", ...request], ["--incident", incident.first.beganAt.toISOString(), "--yes"]);
  const over = await waitForNormal(parts, customers);
  const detail = await refloat.ask(["runs", "1"], runSchema);
  return weigh(parts, shop, customers, {
    detail,
    incident: over,
    scheduled,
    upgradeAt: incident.upgradeAt,
  });
};

const wholeSeconds = (ms: number): string => formatDuration(Math.floor(ms / 1000) * 1000);

const pause = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal });

const declareShop = async ({ folder }: StoryParts, shop: Shop, refloat: RefloatCommand): Promise<void> => {
  await writeFile(folder.passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  await writeDeclaration(folder.declaration, shop, { url: folder.vault, passwordFile: folder.passwordFile });
  await refloat.show(["vault", "init"]);
};

/** Customers order until the point is old enough; the screen tells how much would be lost. */
const doBusiness = async (
  { screen, signal }: StoryParts,
  customers: Customers,
  { id, consistentAt }: ScheduledPoint,
): Promise<void> => {
  const ageMs = (): number => Date.now() - consistentAt.getTime();
  screen.event(
    `${ordersPerSecond} orders/s come in; the upgrade comes when the point is ${formatDuration(pointAgeMs)} old`,
  );
  for (let leftMs = pointAgeMs - ageMs(); leftMs > 0; leftMs = pointAgeMs - ageMs()) {
    // A timer may be early by a millisecond.
    await pause(Math.ceil(leftMs / Math.ceil(leftMs / tellEveryMs)) + 1, signal);
    const since = customers.acknowledged.filter(({ at }) => at > consistentAt).length;
    screen.event(`point ${id.slice(0, 8)} is ${wholeSeconds(ageMs())} old; ${count(since)} orders came in since`);
  }
};

type Upgrade = { readonly upgradeAt: Date; readonly first: Incident };

const upgradeWrongly = async ({ screen, signal }: StoryParts, shop: Shop, customers: Customers): Promise<Upgrade> => {
  if (customers.incidents.length > 0) {
    throw new Error(`customers met a bad answer before the upgrade: ${customers.incidents[0]?.reason}`);
  }
  const upgradeAt = new Date();
  screen.event("upgrade 2.5.0 begins: new column, new release", upgradeAt);
  await shop.upgrade("2.5.0");
  await customers.until(
    ({ incidents }) => incidents.length > 0,
    AbortSignal.any([signal, AbortSignal.timeout(15_000)]),
  );
  const [first] = customers.incidents;
  if (first === undefined) throw new Error("the customers noticed nothing");
  const page = await fetch(`${shop.url}/products/1`);
  screen.event(`first wrong answer, seen by a customer: ${first.reason}`, first.beganAt);
  screen.event(
    `its migration zeroed ${count(await countFreeProducts(shop))} prices; pages answer ${page.status}: ${await page.text()}`,
  );
  await pause(decisionMs, signal);
  return { upgradeAt, first };
};

const correctMigration = async ({ screen }: StoryParts, shop: Shop): Promise<void> => {
  await shop.correctMigration("2.5.0");
  screen.event(
    "the operator corrects migrate.js of release 2.5.0 (prices stay as they are); it runs on the restored database",
  );
};

const waitForNormal = async (
  { screen, signal }: StoryParts,
  customers: Customers,
): Promise<Incident & { endedAt: Date }> => {
  await customers.until(
    ({ incidents }) => incidents.at(-1)?.endedAt !== null,
    AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
  );
  const [incident] = customers.incidents;
  const endedAt = customers.incidents.at(-1)?.endedAt;
  if (incident === undefined || endedAt === undefined || endedAt === null) throw new Error("the incident is not over");
  screen.event(`customers get right answers again since ${timeOfDay(endedAt)}`);
  return { ...incident, endedAt };
};

/** Time per phase: from the first wrong answer to the run, each phase's steps, and from the run's last act to normal. */
const measurePhases = (detail: RunDetail, incident: Incident & { endedAt: Date }): Record<string, number> => {
  const runBeganMs = Date.parse(detail.record.beganAt);
  const phases: Record<string, number> = { noticeAndDecide: Math.max(0, runBeganMs - incident.beganAt.getTime()) };
  const ends = new Map<string, number>();
  for (const { id, phase } of detail.plan.intent.steps) {
    const ended = detail.record.steps.find((step) => step.id === id)?.endedAt;
    if (typeof ended === "string") ends.set(phase, Math.max(ends.get(phase) ?? 0, Date.parse(ended)));
  }
  let reachedMs = runBeganMs;
  for (const [phase, endMs] of [...ends].sort(([, a], [, b]) => a - b)) {
    phases[phase] = Math.max(0, endMs - reachedMs);
    reachedMs = Math.max(reachedMs, endMs);
  }
  // What follows the admission of traffic, such as the export of lost writes, may end after customers are served again.
  return { ...phases, backToNormal: Math.max(0, incident.endedAt.getTime() - reachedMs) };
};

const weigh = async (
  parts: StoryParts,
  shop: Shop,
  customers: Customers,
  run: {
    readonly detail: RunDetail;
    readonly incident: Incident & { endedAt: Date };
    readonly scheduled: ScheduledPoint;
    readonly upgradeAt: Date;
  },
): Promise<StoryResult> => {
  const { detail, incident, scheduled } = run;
  // Those who are still inside are counted too; nobody comes in any more.
  await customers.end();
  const exportPath = join(parts.folder.state, "runs", String(detail.record.number), "lost", "orders.csv");
  const orders = await accountForOrders(shop, customers, exportPath, shopSize.orders + 1);
  const migrate = detail.record.steps.find(({ id }) => id === "migrate:app");
  const kept = await examineKeptDatabases(shop);
  const alive = z.object({ release: z.string() }).parse(await (await fetch(`${shop.url}/alive`)).json());
  const free = await countFreeProducts(shop);
  const { point } = detail.plan.intent;
  const consistentAt = Date.parse(point.consistentAt);
  const ageAtUpgradeMs = run.upgradeAt.getTime() - consistentAt;
  return {
    findings: [
      { ok: detail.record.state === "succeeded", what: `run ${detail.record.number} ${detail.record.state}` },
      {
        ok: point.id === scheduled.id && ageAtUpgradeMs >= pointAgeMs,
        what: `point ${point.id.slice(0, 8)}, taken by the schedule (${scheduled.schedule}), was ${wholeSeconds(ageAtUpgradeMs)} old at the upgrade`,
      },
      {
        ok: migrate?.output?.["needed"] === true,
        what: `release 2.5.0 failed its check on the restored schema until the migration ran: ${String(migrate?.output?.["before"])}`,
      },
      { ok: free === 0, what: `${count(free)} products for nothing in the shop` },
      { ok: alive.release === "2.5.0", what: `release ${alive.release} was kept` },
      {
        ok: kept.some(({ freeProducts }) => freeProducts > 18_000),
        what: `damaged database kept: ${kept.map((one) => `${one.name} with ${count(one.freeProducts)} zeroed prices`).join(", ") || "none"}`,
      },
      {
        ok: orders.missing.length === 0 && orders.acknowledged > 0,
        what: `${count(orders.acknowledged)} orders acknowledged: ${count(orders.inNewDatabase)} in the new database, ${count(orders.inExport)} in orders.csv, ${orders.missing.length} missing`,
      },
      { ok: orders.inExport > 0, what: `${count(orders.inExport)} orders to review in ${exportPath}` },
      { ok: orders.twice.length === 0, what: `${orders.twice.length} order numbers given twice` },
    ],
    rtoActualMs: incident.endedAt.getTime() - incident.beganAt.getTime(),
    rpoActualMs: Math.max(0, (orders.lastExportedAt?.getTime() ?? consistentAt) - consistentAt),
    steps: detail.record.steps.map(({ id, state, durationMs }) => ({ id, state, durationMs })),
    phases: measurePhases(detail, incident),
    orders,
  };
};

export const showResult = (screen: Screen, result: StoryResult): void => {
  screen.line(`As customers saw it: ${seconds(result.rtoActualMs)} from the first wrong answer to normal`);
  screen.line(
    `  ${Object.entries(result.phases)
      .map(([phase, ms]) => `${phase} ${seconds(ms)}`)
      .join(" | ")}`,
  );
  for (const { ok, what } of result.findings) screen.line(`  ${ok ? "ok  " : "FAIL"} ${what}`);
};
