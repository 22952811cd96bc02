/**
 * Four tiers under load (two PostgreSQL databases, MariaDB, files), recovered at random moments: an application adds, overwrites and deletes across all of
 * them, rows before their files among it. Where its lines hold it still, no recovery has a broken link or an orphan; where nothing does, the invariants of
 * the recovery find just those breaks that a comparison by hand finds, and the point is labelled so. REFLOAT_RECOVERIES=50 for that many of each;
 * REFLOAT_FAULT_SEED to meet the same ones again.
 */
import { existsSync, writeFileSync } from "node:fs";
import { chmod, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import type { CheckOutcome } from "../../src/model/outcome.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { seededRandom } from "../../src/testing/faulty-store.ts";
import { type RefloatInside, refloatInside } from "../e2e/support/refloat-inside.ts";

const seed = Number(process.env["REFLOAT_FAULT_SEED"] ?? Math.floor(Math.random() * 1_000_000));
const recoveries = Number(process.env["REFLOAT_RECOVERIES"] ?? 2);
const timeoutMs = 120_000 + recoveries * 240_000;

type Found = { readonly broken: number; readonly orphans: number };
/** By invariant. */
type Links = Readonly<Record<string, Found>>;

describe(`recoveries of four tiers under load, seed ${seed}`, () => {
  const random = seededRandom(seed);
  let folder: TestFolder;
  let postgres: PostgresServer;
  let mariadb: MariadbServer;
  let refloat: RefloatInside;
  let run = 0;
  const at = (name: string): string => join(folder.path, name);

  const service = (name: string, quiesce: string): string => `
  ${name}:${quiesce}
    components:
      shop: { type: postgres, url: "${postgres.url("shop")}" }
      pay: { type: postgres, url: "${postgres.url("pay")}" }
      stock: { type: mariadb, url: "${mariadb.url("stock", "keeper")}", password: "\${file:${at("db-password")}}" }
      receipts: { type: files, path: ${at("receipts")} }
    invariants:
      paid: { every: { shop: "select payment from orders" }, in: { pay: "select id from payments" } }
      reserved: { every: { shop: "select id from orders" }, in: { stock: "select id from reservations" } }
      receipts-current:
        every: { shop: "select id || ':' || version from orders" }
        in: { receipts: { shell: 'cd "$REFLOAT_PATH" && find . -name "*.txt" -exec cat {} +' } }
`;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-tiers");
    await chmod(folder.path, 0o755);
    [postgres, mariadb] = await Promise.all([startPostgresServer(), startMariadbServer()]);
    for (const name of ["shop", "pay"]) await query(postgres.url("postgres"), `create database ${name}`);
    await query(postgres.url("shop"), "create table orders (id int primary key, payment text, version int not null)");
    await query(postgres.url("pay"), "create table payments (id text primary key)");
    await mariadb.sql(
      "CREATE DATABASE stock; CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1';",
    );
    await mariadb.sql("CREATE TABLE reservations (id INT PRIMARY KEY);", "stock");
    await mkdir(at("receipts"));
    for (const [file, word] of [
      ["password", "correct horse"],
      ["db-password", "a word"],
    ] as const)
      await writeFile(at(file), word, { mode: 0o600 });
    const quiesce = `
    quiesce:
      freeze: "cd $SHOP && rm -f paused && touch pause && until test -e paused; do sleep 0.01; done"
      thaw: rm -f "$SHOP/pause"
      atMost: 10m
      environment: { SHOP: ${folder.path} }`;
    await writeFile(
      at("refloat.yaml"),
      `vault: { url: ${at("vault")}, password: "\${file:${at("password")}}" }\nservices:${service("held", quiesce)}${service("loose", "")}`,
    );
    refloat = refloatInside(folder.path);
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await refloat.close();
    await Promise.all([postgres.stop(), mariadb.stop()]);
    await folder.remove();
  });

  /** One operation after the other, each over all tiers and in an order of its own; stops between two when it is told to. */
  const startApplication = async () => {
    const [shop, pay] = [
      new Client({ connectionString: postgres.url("shop") }),
      new Client({ connectionString: postgres.url("pay") }),
    ];
    await Promise.all([shop.connect(), pay.connect()]);
    const stop = new AbortController();
    const orders = await query<{ readonly id: number; version: number }>(
      postgres.url("shop"),
      "select id, version from orders",
    );
    let last = Math.max(0, ...orders.map(({ id }) => id));
    const receipt = (id: number, version: number) => writeFile(at(`receipts/${id}.txt`), `${id}:${version}\n`);
    /** By turns the row first and what it names first. */
    const inSomeOrder = async (acts: readonly (() => Promise<unknown>)[]): Promise<void> => {
      for (const act of random() < 0.5 ? acts : acts.toReversed()) await act();
    };
    const operations = {
      add: async () => {
        const id = (last += 1);
        await inSomeOrder([
          () => shop.query("insert into orders values ($1, $2, 1)", [id, `p-${id}`]),
          () => pay.query("insert into payments values ($1)", [`p-${id}`]),
          () => mariadb.sql(`INSERT INTO reservations VALUES (${id});`, "stock"),
          () => receipt(id, 1),
        ]);
        orders.push({ id, version: 1 });
      },
      overwrite: async () => {
        const order = orders[Math.floor(random() * orders.length)];
        if (order === undefined) return;
        order.version += 1;
        const { id, version } = order;
        await inSomeOrder([
          () => shop.query("update orders set version = $2 where id = $1", [id, version]),
          () => receipt(id, version),
        ]);
      },
      remove: async () => {
        const [order] = orders.splice(Math.floor(random() * orders.length), 1);
        if (order === undefined) return;
        const { id } = order;
        await inSomeOrder([
          () => shop.query("delete from orders where id = $1", [id]),
          () => pay.query("delete from payments where id = $1", [`p-${id}`]),
          () => mariadb.sql(`DELETE FROM reservations WHERE id = ${id};`, "stock"),
          () => rm(at(`receipts/${id}.txt`)),
        ]);
      },
    };
    const next = (): keyof typeof operations => {
      if (orders.length < 30) return "add";
      const drawn = random();
      return drawn < 0.5 ? "overwrite" : drawn < 0.75 || orders.length > 60 ? "remove" : "add";
    };
    let done = 0;
    const running = (async () => {
      while (!stop.signal.aborted) {
        if (existsSync(at("pause"))) {
          writeFileSync(at("paused"), "");
          await delay(5);
          continue;
        }
        await operations[next()]();
        done += 1;
        // Else what is measured is who gets the processor.
        await delay(10);
      }
    })();
    return {
      done: () => done,
      end: async () => {
        stop.abort();
        await running;
        await Promise.all([shop.end(), pay.end()]);
      },
    };
  };

  /** What was restored whole, compared by hand: through no code of Refloat. A run that was ended by one broken link may have restored less. */
  const linksOf = async ({ shop, pay, stock, receipts }: Readonly<Record<string, string>>): Promise<Links> => {
    if (shop === undefined) return {};
    const rows = await query<{ id: number; payment: string; version: number }>(
      postgres.url(shop),
      "select * from orders",
    );
    expect(rows.length).toBeGreaterThan(10);
    const links: Record<string, Found> = {};
    const compare = (name: string, every: readonly string[], within: readonly string[]): void => {
      const [named, there] = [new Set(every), new Set(within)];
      const broken = [...named].filter((one) => !there.has(one)).length;
      links[name] = { broken, orphans: [...there].filter((one) => !named.has(one)).length };
    };
    if (pay !== undefined) {
      const payments = await query<{ id: string }>(postgres.url(pay), "select id from payments");
      const named = rows.map(({ payment }) => payment);
      compare(
        "paid",
        named,
        payments.map(({ id }) => id),
      );
    }
    if (stock !== undefined) {
      const reservations = (await mariadb.sql("SELECT id FROM reservations;", stock)).trim().split("\n");
      const named = rows.map(({ id }) => String(id));
      compare("reserved", named, reservations);
    }
    if (receipts !== undefined) {
      const files = await Promise.all((await readdir(receipts)).map((name) => readFile(join(receipts, name), "utf8")));
      const named = rows.map(({ id, version }) => `${id}:${version}`);
      compare(
        "receipts-current",
        named,
        files.map((text) => text.trim()).filter((text) => text !== ""),
      );
    }
    return links;
  };

  /** Takes a point at a moment of chance and recovers it beside: what the point says, what its recovery's invariants found, and what is so. */
  const recoverOnce = async (name: "held" | "loose") => {
    await delay(random() * 300);
    const captured = await refloat.succeed(["capture", name, "--json"]);
    const { manifest } = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data;
    const { exit, stdout, stderr } = await refloat.run(["recover", name, "--no-cutover", "--yes"]);
    run += 1;
    expect([0, 4], `${stdout}\n${stderr}`).toContain(exit);
    const shown = await refloat.succeed(["runs", String(run), "--json"]);
    const { record } = resultEnvelopeSchema("run").parse(shown.lines.at(-1)).data;
    const instances = Object.fromEntries(
      record.steps.flatMap(({ id, intent, state }) => {
        const instance = intent?.["instance"];
        if (!id.startsWith("restore:") || state !== "done" || typeof instance !== "string") return [];
        return [[id.slice("restore:".length), instance]];
      }),
    );
    const found = Object.fromEntries(
      record.steps.flatMap(({ id, output }) => {
        const [outcome] = ((output?.["outcomes"] ?? []) as unknown as readonly CheckOutcome[]).slice(0, 1);
        if (!id.startsWith("check-invariant:") || outcome?.links === undefined) return [];
        return [
          [
            id.slice("check-invariant:".length),
            { broken: outcome.links.broken.count, orphans: outcome.links.orphans.count },
          ],
        ];
      }),
    );
    const links = await linksOf(instances);
    await refloat.succeed(["cancel", String(run), "--yes"]);
    return { manifest, exit, found, links };
  };

  const sum = (links: Links, what: keyof Found): number =>
    Object.values(links).reduce((total, one) => total + one[what], 0);

  it(`with a barrier ${recoveries} recoveries have no broken link and no orphan`, { timeout: timeoutMs }, async () => {
    const application = await startApplication();
    try {
      await expect.poll(application.done, { timeout: 60_000 }).toBeGreaterThan(40);
      let heldMs = 0;
      for (let round = 0; round < recoveries; round += 1) {
        const before = application.done();
        const { manifest, exit, found, links } = await recoverOnce("held");
        expect(manifest.consistency).toMatchObject({ mode: "quiesced", proven: true });
        expect(links).toEqual({
          paid: { broken: 0, orphans: 0 },
          reserved: { broken: 0, orphans: 0 },
          "receipts-current": { broken: 0, orphans: 0 },
        });
        expect(found).toEqual(links);
        expect(exit).toBe(0);
        expect(application.done()).toBeGreaterThan(before);
        heldMs = Math.max(heldMs, manifest.consistency.frozen?.heldMs ?? 0);
      }
      console.log(
        `${recoveries} recoveries with a barrier: 0 broken links, 0 orphans; held ${heldMs} ms at most; ${application.done()} operations`,
      );
    } finally {
      await application.end();
    }
  });

  it(
    `without one the invariants of ${recoveries} recoveries find all that is broken, and nothing else`,
    { timeout: timeoutMs },
    async () => {
      const application = await startApplication();
      try {
        await expect.poll(application.done, { timeout: 60_000 }).toBeGreaterThan(40);
        let broken = 0;
        let orphans = 0;
        let affected = 0;
        let rounds = 0;
        // A capture between two operations finds nothing broken: then others are taken.
        for (; rounds < recoveries || (broken === 0 && rounds < 5 * recoveries); rounds += 1) {
          const { manifest, exit, found, links } = await recoverOnce("loose");
          expect(manifest.consistency).toMatchObject({ mode: "ordered", proven: false });
          // One that fails ends the run: others may not have been asked any more.
          expect(exit === 0 ? found : { ...links, ...found }).toEqual(links);
          expect(exit).toBe(sum(found, "broken") === 0 ? 0 : 4);
          broken += sum(links, "broken");
          orphans += sum(links, "orphans");
          affected += exit === 4 ? 1 : 0;
        }
        // Else the load would prove nothing of the recoveries with a barrier.
        expect(broken).toBeGreaterThan(0);
        console.log(
          `${rounds} recoveries without a barrier: ${affected} refused, ${broken} broken links and ${orphans} orphans, all of them found`,
        );
      } finally {
        await application.end();
      }
    },
  );
});
