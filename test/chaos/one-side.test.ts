/**
 * A whole shop with customers in front of it, killed at every transition of its cutover: what customers see goes from the damaged
 * side to the recovered one, once, and never back; and an application that died together with Refloat is started again.
 */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeDeclaration } from "../../examples/shop/stage/declaration.ts";
import { Shop } from "../../examples/shop/stage/shop.ts";
import { endListeners } from "../../src/testing/end-listeners.ts";
import { type RefloatProgram, refloatIn } from "../e2e/support/refloat-program.ts";

type Seen = "wrong" | "right" | "held";

/** Asks as a customer does, all the time. A price of 0 is the damaged side. */
const watchShop = (url: string) => {
  const seen: { readonly askedAt: number; readonly answer: Seen }[] = [];
  const watching = new AbortController();
  const ask = async (): Promise<Seen> => {
    try {
      const response = await fetch(`${url}/products/1`, { signal: AbortSignal.timeout(5000) });
      if (response.status !== 200) return "held";
      const { price } = (await response.json()) as { readonly price: string };
      return Number(price) > 0 ? "right" : "wrong";
    } catch {
      return "held";
    }
  };
  const done = (async () => {
    while (!watching.signal.aborted) {
      const askedAt = performance.now();
      seen.push({ askedAt, answer: await ask() });
      await pause(20);
    }
  })();
  return {
    /** @returns what the first customer has seen who asked from now on and was answered */
    next: async (): Promise<Seen> => {
      const from = performance.now();
      const find = () => seen.find(({ askedAt, answer }) => askedAt >= from && answer !== "held")?.answer;
      await expect.poll(find).toBeDefined();
      return find() ?? "held";
    },
    end: async (): Promise<readonly Seen[]> => {
      watching.abort();
      await done;
      return seen.map(({ answer }) => answer);
    },
  };
};

describe("customers of a shop that is killed in its cutover", () => {
  let folder: string;
  let shop: Shop;
  let refloat: RefloatProgram;

  const damage = async (): Promise<void> => {
    const client = new Client({ connectionString: shop.databaseUrl() });
    await client.connect();
    await client.query("update products set price = 0");
    await client.end();
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-one-side-"));
    await chmod(folder, 0o755);
    shop = await Shop.open({ folder: join(folder, "shop"), orders: 2000, invoices: 100, tell: () => undefined });
    await writeFile(join(folder, "password"), "one side at a time\n", { mode: 0o600 });
    await writeDeclaration(join(folder, "refloat.yaml"), shop, {
      url: join(folder, "vault"),
      passwordFile: join(folder, "password"),
    });
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "shop"]);
  });

  afterAll(async () => {
    await shop?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const recoverOnly = ["recover", "shop", "--only", "db", "--yes", "--json"];

  it("see one side only, whatever the moment", { timeout: 2_400_000 }, async () => {
    await damage();
    const whole = await refloat.succeed(recoverOnly);
    await refloat.succeed(["commit", "1", "--yes"]);
    const steps = whole.lines
      .filter(({ event }) => event === "run")
      .map(({ data }) => data as Readonly<Record<string, unknown>>)
      .filter(({ type }) => type === "step");
    const first = steps.findIndex(({ step }) => step === "hold");
    const sequences = steps.slice(first).map(({ sequence }) => Number(sequence));
    expect(sequences.length).toBeGreaterThanOrEqual(12);

    let run = 1;
    for (const sequence of sequences) {
      run += 1;
      await damage();
      const watch = watchShop(shop.url);
      const killed = await refloat.run(recoverOnly, { REFLOAT_FAULT: `kill-after:${sequence}` });
      expect(killed.signal, `${sequence}: ${killed.stdout}\n${killed.stderr}`).toBe("SIGKILL");
      if (run % 2 === 0) endApplications();
      const resumed = await refloat.run(["resume", String(run), "--yes"]);
      expect([0, 3], `${sequence}: ${resumed.stdout}\n${resumed.stderr}`).toContain(resumed.exit);
      expect(await watch.next(), `${sequence}: ${resumed.stdout}`).toBe("right");
      const seen = (await watch.end()).filter((answer) => answer !== "held");
      expect(seen.at(-1), `${sequence}: ${resumed.stdout}`).toBe("right");
      expect(seen.slice(seen.indexOf("right")), `after event ${sequence}`).not.toContain("wrong");
      await refloat.succeed(["commit", String(run), "--yes"]);
    }
  });

  /** As if the machine had gone down: whatever serves on the application's ports is killed. */
  const endApplications = (): void => {
    for (const port of shop.appPorts) endListeners(port);
  };
});
