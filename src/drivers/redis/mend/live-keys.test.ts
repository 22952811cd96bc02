/** Servers in which no keys are put back: each is refused by its reason, before anything is asked of a key. */
import { afterEach, expect, test, vi } from "vitest";
import { type RedisServer, startRedisServer } from "../../../testing/redis-server.ts";
import { parseRedisUrl } from "../connection-target.ts";
import { withRedisWire } from "../redis-wire.ts";
import { requireMendable } from "./live-keys.ts";

vi.setConfig({ testTimeout: 300_000 });

let server: RedisServer | null = null;
afterEach(() => server?.stop());

const asked = async (lines: readonly string[], captured: string): Promise<void> => {
  server = await startRedisServer({ lines });
  const target = parseRedisUrl(server.url);
  await withRedisWire({ target, signal: new AbortController().signal }, (wire) =>
    requireMendable(wire, "cache", captured),
  );
};

test("a server of its own is taken", async () => {
  await expect(asked([], "7.0.0")).resolves.toBeUndefined();
});

test.each([
  [["cluster-enabled yes"], "7.0.0", "source.unsupported", "runs as cluster"],
  [["replicaof 127.0.0.1 1"], "7.0.0", "source.unsupported", "is a replica"],
  [[], "99.1.0", "program.version", "takes no keys as Redis 99.1.0 has written them"],
])("with %j, for keys of Redis %s, it is refused", async (lines, captured, code, words) => {
  await expect(asked(lines, captured)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(words) as string,
    state: "nothing was changed",
  });
});
