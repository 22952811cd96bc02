import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { parseListenAddress, serveMetrics } from "./serve-metrics.ts";

/** @param act is given the address, and the server ends after it */
const serving = async (read: () => Promise<string>, act: (url: string) => Promise<void>) => {
  const ending = new AbortController();
  const failures: string[] = [];
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const served = serveMetrics({
    address: { host: "127.0.0.1", port: 0 },
    read,
    onListening: resolve,
    onFailure: (message) => failures.push(message),
    signal: ending.signal,
  });
  try {
    await act(await listening);
  } finally {
    ending.abort();
    await served;
  }
  return failures;
};

describe("metrics over HTTP", () => {
  it("are read once for scrapes that come together, and anew for the next", async () => {
    let reads = 0;
    let go: () => void = () => undefined;
    const read = async () => {
      reads += 1;
      await new Promise<void>((resolve) => (go = resolve));
      return `refloat_reads ${reads}\n`;
    };
    await serving(read, async (url) => {
      const first = fetch(url);
      const second = fetch(`${url}?x=1`);
      await vi.waitFor(() => expect(reads).toBe(1), { timeout: 60_000 });
      // Both have to be waiting: a third request is answered without the metrics, after the two were taken.
      expect((await fetch(url.replace("/metrics", "/"))).status).toBe(200);
      go();
      const [one, two] = await Promise.all([first, second]);
      expect(one.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      expect(await one.text()).toBe("refloat_reads 1\n");
      await two.text();
      const before = reads;
      const third = fetch(url);
      await vi.waitFor(() => expect(reads).toBe(before + 1), { timeout: 60_000 });
      go();
      expect(await (await third).text()).toBe(`refloat_reads ${before + 1}\n`);
    });
  });

  it("tell a scrape that they cannot be read, and why only to who serves them", async () => {
    const failures = await serving(
      () => Promise.reject(new Error("the password is hunter2")),
      async (url) => {
        const answer = await fetch(url);
        expect([answer.status, await answer.text()]).toEqual([500, "the metrics cannot be read\n"]);
        expect((await fetch(`${url}/x`)).status).toBe(404);
        expect((await fetch(url, { method: "POST" })).status).toBe(405);
      },
    );
    expect(failures).toHaveLength(1);
  });

  it("refuse a port that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const served = serveMetrics({
      address: { host: "127.0.0.1", port },
      read: async () => "",
      onListening: () => undefined,
      onFailure: () => undefined,
      signal: new AbortController().signal,
    });
    await expect(served).rejects.toMatchObject({ code: "metrics.unserved" });
    taken.close();
  });

  it.each([
    ["127.0.0.1:9464", { host: "127.0.0.1", port: 9464 }],
    ["[::1]:9464", { host: "::1", port: 9464 }],
    ["localhost:0", { host: "localhost", port: 0 }],
    ["9464", null],
    ["127.0.0.1:99999", null],
    ["::1:9464", null],
  ])("take %s for an address", (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });
});
