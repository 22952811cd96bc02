/**
 * Home again: a shop that was recovered elsewhere goes back by one plan, while customers go on ordering. What was acknowledged anywhere is at home;
 * kills in the middle change nothing of that; and the undo goes back there.
 */
import { mkdir, readdir, rename, rmdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TwoPlaces, openTwoPlaces } from "./support/two-places.ts";

const longWay = { timeout: 600_000 };
let places: TwoPlaces;
let uid: string;
/** Acknowledged in a place before users left it for another one that does not have it: lost with home, or by an undo that accepts it. */
const left = new Set(["order-13", "order-14"]);

const flat = (text: string): string => text.replaceAll(/\s+/g, " ");

const place = async (from: number, to: number): Promise<void> => {
  for (let number = from; number <= to; number += 1)
    expect(await places.order(`order-${number}`), `order ${number}`).toBe(true);
};

const seen = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => !name.startsWith(".")).toSorted();

const fault = (event: number) => ({ REFLOAT_FAULT: `kill-before:${event}` });

/** At home: killed at every ninth event of its journal, and taken up each time, until it is done. */
const killedAgainAndAgain = async (args: readonly string[], number: string): Promise<{ readonly kills: number }> => {
  const { refloat } = places.home;
  let kills = 0;
  let run = await refloat.run(args, fault(5));
  for (let event = 14; run.signal === "SIGKILL"; event += 9) {
    kills += 1;
    run = await refloat.run(["resume", number, "--yes"], fault(event));
  }
  expect(run.exit, `${run.stdout}\n${run.stderr}`).toBe(0);
  return { kills };
};

const newestRun = async (at: "home" | "dr") => {
  const { lines } = await places[at].refloat.succeed(["runs", "--json"]);
  const [newest] = resultEnvelopeSchema("runs").parse(lines.at(-1)).data;
  if (newest === undefined) throw new Error("no run");
  return newest;
};

/** Orders without an end, as customers do who try again. @returns how to stop them */
const keepOrdering = (prefix: string): (() => Promise<void>) => {
  const over = new AbortController();
  const ordering = (async () => {
    for (let number = 1; !over.signal.aborted; number += 1) {
      await places.order(`${prefix}-${number}`);
      await delay(20);
    }
  })();
  return async () => {
    over.abort();
    await ordering;
  };
};

beforeAll(async () => {
  const { closeHome, ...opened } = await openTwoPlaces();
  places = opened;
  const { home, dr } = places;
  await place(1, 12);
  await home.refloat.succeed(["vault", "init"]);
  await home.refloat.succeed(["capture", "shop"]);
  // Acknowledged at home, and lost with it.
  await place(13, 14);
  await closeHome();
  await dr.refloat.succeed(["recover", "shop", "--yes"]);
  ({ uid } = await newestRun("dr"));
  await place(15, 20);
}, 600_000);
afterAll(async () => {
  await places?.stop();
});

describe("what is no way home", () => {
  it("is refused before anything is done, with what there is instead", longWay, async () => {
    const { home, dr } = places;
    const unknown = await home.refloat.run(["plan", "shop", "--failback", "7"]);
    expect(unknown.exit).toBe(2);
    expect(flat(unknown.stderr)).toContain("no run 7 is known here");
    expect(flat(unknown.stderr)).toContain(`the vault knows ${uid.slice(0, 8)} (ended `);
    const own = await dr.refloat.run(["plan", "shop", "--failback", "1"]);
    expect(own.exit).toBe(3);
    expect(flat(own.stderr)).toContain("run 1 recovered shop here: there is no way home");
    expect(own.stderr).toContain("next: refloat undo 1");
    const only = await home.refloat.run(["plan", "shop", "--failback", uid, "--only", "db"]);
    expect(only.exit).toBe(2);
    expect(flat(only.stderr)).toContain("--only does not go with --failback");
  });

  it("is not taken for one because it bears the same name, as a folder of another host does", longWay, async () => {
    const { home, dr } = places;
    const invoices = join(dr.folder, "invoices");
    await rename(invoices, `${invoices}.aside`);
    const gone = await home.refloat.run(["plan", "shop", "--failback", uid]);
    await mkdir(invoices);
    const other = await home.refloat.run(["plan", "shop", "--failback", uid]);
    await rmdir(invoices);
    await rename(`${invoices}.aside`, invoices);
    for (const refused of [gone, other]) {
      expect(refused.exit).toBe(3);
      expect(flat(refused.stderr)).toContain("the way home of shop cannot be one plan");
      expect(flat(refused.stderr)).toContain("docs/recovery.md, The way home");
    }
    expect(flat(other.stderr)).toContain("is not what run 1 put there");
  });
});

describe("the way home", () => {
  it("is a plan that says what is reached, lost and held", longWay, async () => {
    const { home, dr } = places;
    const { stdout } = await home.refloat.succeed(["plan", "shop", "--failback", uid.slice(0, 8)]);
    const said = flat(stdout);
    expect(said).toContain("home from where run 1 recovered it");
    expect(said).toContain("POINT made in the run, of db, invoices and app as they are then");
    expect(said).toContain(`FROM db: shop at 127.0.0.1:${dr.server.port}, by its connection`);
    expect(said).toContain(`invoices: ${dr.folder}/invoices, a path of this machine`);
    expect(said).toContain(`TO db: shop at 127.0.0.1:${home.server.port}, by its connection`);
    expect(said).toContain("LOSES nothing that is written there");
    expect(said).toContain("captured and restored whole once more behind the hold");
    expect(said).toContain("hold traffic elsewhere");
  });

  it("brings all home that was acknowledged while it went on, by the plan that was shown", longWay, async () => {
    const { home, dr } = places;
    const { lines } = await home.refloat.succeed(["plan", "shop", "--failback", uid, "--json"]);
    const { digest } = resultEnvelopeSchema("plan").parse(lines.at(-1)).data;
    const stop = keepOrdering("during");
    const done = await home.refloat.succeed(["recover", "--plan", digest]);
    await stop();
    expect(await places.serving()).toBe("home");
    expect(await home.orders()).toEqual(places.acknowledged().filter((name) => !left.has(name)));
    expect(places.acknowledged().some((name) => name.startsWith("during-"))).toBe(true);
    // Not by a number of this journal: run 1 there has given `shop_old1`, and may drop it.
    const away = `old${1_000_000 + Number.parseInt(uid.slice(0, 7), 16)}`;
    expect(await dr.databases()).toEqual(["postgres", `shop_${away}`]);
    expect(await seen(dr.folder)).toEqual(["app", `invoices.${away}`]);
    const said = flat(done.stdout);
    expect(said).toContain("SHOP IS BACK");
    expect(said).toContain(`side elsewhere, closed: db as shop_${away}`);
    // They bear the numbers of two orders that were taken there.
    expect(said).toContain("db 2 changed orders, only in the old side here");
    expect(said).toContain("invoices 2 files, only in the old side here");
  });

  it("is undone: users are there again, with what home had taken in a point", longWay, async () => {
    const { home, dr } = places;
    await place(21, 22);
    const refused = await home.refloat.run(["undo", "1", "--yes"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain("undo.would-lose");
    const atHome = await home.orders();
    const ended = await killedAgainAndAgain(["undo", "1", "--accept-loss", "--yes"], "2");
    expect(ended.kills).toBeGreaterThan(3);
    const back = new Set(await dr.orders());
    for (const name of atHome) if (!back.has(name)) left.add(name);
    expect(left).toContain("order-22");
    expect(await places.serving()).toBe("dr");
    expect((await dr.databases()).toSorted()).toEqual(["postgres", "shop"]);
    expect(await home.databases()).toEqual(["postgres", "shop", "shop_r1"]);
    await home.refloat.succeed(["commit", "2", "--yes"]);
    await place(23, 25);
    expect(await dr.orders()).toContain("order-25");
  });

  it("ends with users where they are when the point is of another shape than was planned", longWay, async () => {
    const { home, dr } = places;
    const { lines } = await home.refloat.succeed(["plan", "shop", "--failback", uid, "--json"]);
    const { digest } = resultEnvelopeSchema("plan").parse(lines.at(-1)).data;
    await dr.query("alter table orders add column note text");
    const failed = await home.refloat.run(["recover", "--plan", digest]);
    expect(failed.exit).toBe(4);
    expect(flat(failed.stdout)).toContain("db has another schema or layout than the plan was made for");
    expect(await places.serving()).toBe("dr");
    await home.refloat.succeed(["cancel", "3", "--yes"]);
    expect(await home.databases()).toEqual(["postgres", "shop"]);
    const again = await home.refloat.succeed(["plan", "shop", "--failback", uid, "--json"]);
    expect(resultEnvelopeSchema("plan").parse(again.lines.at(-1)).data.digest).not.toBe(digest);
  });

  it("is taken back when somebody writes past hold and fence", longWay, async () => {
    const { home, dr } = places;
    const over = new AbortController();
    // Several at once: each connects anew for a row, and one of them is to come between the last point and the look at what came after it.
    const strangers = Array.from({ length: 4 }, async () => {
      while (!over.signal.aborted)
        await dr.query("insert into orders (name, invoice) values ('stray', 'order-1.pdf')").catch(() => undefined);
    });
    const undone = await home.refloat.run(["recover", "shop", "--failback", uid, "--yes"]);
    over.abort();
    await Promise.all(strangers);
    expect(undone.exit).toBe(5);
    expect(flat(undone.stdout)).toContain("db was written to after the last point, past hold and fence: orders");
    expect(await places.serving()).toBe("dr");
    expect((await dr.databases()).toSorted()).toEqual(["postgres", "shop"]);
    await place(26, 27);
    await home.refloat.succeed(["cancel", "4", "--yes"]);
  });

  it("goes on where it was killed, again and again, and loses nothing", longWay, async () => {
    const { home, dr } = places;
    const stop = keepOrdering("killed");
    const { kills } = await killedAgainAndAgain(["recover", "shop", "--failback", uid, "--yes"], "5");
    await stop();
    expect(kills).toBeGreaterThan(7);
    expect(await places.serving()).toBe("home");
    // What a stranger has written past the application is at home as well.
    expect((await home.orders()).filter((name) => name !== "stray")).toEqual(
      places.acknowledged().filter((name) => !left.has(name)),
    );
    expect(places.acknowledged().some((name) => name.startsWith("killed-"))).toBe(true);
    // The copy in the vault is of before its cutover, or of its end: neither tells another machine where the other side stands.
    const elsewhere = await dr.refloat.run(["resume", (await newestRun("home")).uid, "--yes"]);
    expect(elsewhere.exit).toBe(3);
    expect(flat(elsewhere.stderr)).toContain(
      `run 5 of shop is a way home, and goes on only where it began, on ${hostname()}`,
    );
    expect(flat(elsewhere.stderr)).toMatch(/log in there and say: .*resume 5; if that machine is lost/);
    await home.refloat.succeed(["commit", "5", "--yes"]);
    expect(await dr.databases()).toEqual(["postgres"]);
    expect(await seen(dr.folder)).toEqual(["app"]);
    expect(await home.databases()).toEqual(["postgres", "shop"]);
    expect(await seen(home.folder)).toEqual(["app", "invoices"]);
  });
});
