/** What becomes of a replay that ends before the server's client has read of it. Replays themselves are tested with the driver. */
import { expect, it } from "vitest";
import { applyBinlog } from "./replay-binlog.ts";

it("does not wait for a log that nobody reads any more", { timeout: 60_000 }, async () => {
  const abort = new AbortController();
  async function* events() {
    abort.abort(new Error("enough"));
    yield Buffer.from("no event is read of it");
  }
  const access = {
    target: {
      host: "127.0.0.1",
      port: 1,
      socket: null,
      user: "nobody",
      password: null,
      database: "none",
      tls: "disable",
      tlsRootCertificate: null,
    },
    role: "target",
    marker: "refloat/test/replay-binlog",
    signal: abort.signal,
  } as const;
  await expect(applyBinlog(access, null, events())).rejects.toThrow("enough");
});
