/** Keys of the live server by the wire: where it can be asked at all, and what one key is now. */
import { RefloatError } from "../../../model/refloat-error.ts";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import { payloadFootBytes } from "../rdb-keys.ts";
import type { RedisWire } from "../redis-wire.ts";
import { parseInfo, versionNumber } from "../server-facts.ts";
import { type DigestedValue, digestValue } from "./value-digest.ts";

/** PEXPIRETIME, without which nobody tells when the time of a key ends. */
const oldestVersion = "7.0";

/**
 * @param captured version of the server that was captured
 * @throws RefloatError source.unsupported, program.version
 */
export const requireMendable = async (wire: RedisWire, component: string, captured: string): Promise<void> => {
  const texts: string[] = [];
  for (const section of ["server", "replication"]) {
    const said = await wire.ask("INFO", section);
    texts.push(Buffer.isBuffer(said) ? said.toString("utf8") : "");
  }
  const info = parseInfo(texts.join("\n"));
  const refuse = (why: string, hint: string): RefloatError =>
    new RefloatError("source.unsupported", `the server of ${component} ${why}`, { state: "nothing was changed", hint });
  if (info.get("redis_mode") !== "standalone")
    throw refuse(
      `runs as ${info.get("redis_mode")}`,
      "one transaction is of one node: refloat extract --dump takes single keys out, and RESTORE puts them back",
    );
  if (info.get("role") !== "master") throw refuse("is a replica", "name its primary in the url");
  const version = info.get("redis_version") ?? "0";
  if (versionNumber(version) < versionNumber(oldestVersion))
    throw refuse(
      `is Redis ${version}; keys are put back from ${oldestVersion} on`,
      "extract --dump takes single keys out",
    );
  if (versionNumber(version) < versionNumber(captured))
    throw new RefloatError(
      "program.version",
      `the server is Redis ${version}, and takes no keys as Redis ${captured} has written them`,
      { state: "nothing was changed" },
    );
};

export type LiveKey = DigestedValue & { readonly expiresAtMs: number | null };

/** The value within what DUMP gives: without the type before it, and the foot behind. */
async function* valueIn(payload: AsyncIterator<Uint8Array>, first: Uint8Array, sizeBytes: number): ByteStream {
  let left = sizeBytes - 1 - payloadFootBytes;
  let piece = first.subarray(1);
  for (;;) {
    const taken = piece.subarray(0, Math.max(0, left));
    left -= taken.length;
    if (taken.length > 0) yield taken;
    const next = await payload.next();
    if (next.done === true) return;
    piece = next.value;
  }
}

const digestPayload = async (payload: ByteStream, sizeBytes: number): Promise<DigestedValue> => {
  const pieces = payload[Symbol.asyncIterator]();
  const first = await pieces.next();
  if (first.done === true || first.value[0] === undefined)
    throw new RefloatError("source.failed", "the server answers DUMP with nothing");
  return digestValue(first.value[0], valueIn(pieces, first.value, sizeBytes));
};

/** Of the database that is selected; null where it is not there. */
export const readLiveKey = async (wire: RedisWire, key: Uint8Array): Promise<LiveKey | null> => {
  const dumped = await wire.read("DUMP", key);
  if (dumped === null) return null;
  const value = await digestPayload(dumped.bytes, dumped.sizeBytes);
  const time = Number(await wire.ask("PEXPIRETIME", key));
  // Its time may end between the two questions.
  return time === -2 ? null : { ...value, expiresAtMs: time < 0 ? null : time };
};

const pageKeys = "1000";

/** Names may come twice. @param match as SCAN takes it; null for all */
export async function* scanLiveKeys(wire: RedisWire, match: string | null): AsyncGenerator<Uint8Array> {
  let cursor = "0";
  do {
    const words = match === null ? [] : ["MATCH", match];
    const reply = await wire.ask("SCAN", cursor, ...words, "COUNT", pageKeys);
    const [next, names] = Array.isArray(reply) ? reply : [];
    if (!Array.isArray(names)) throw new RefloatError("source.failed", "the server answers SCAN with no keys");
    for (const name of names) if (Buffer.isBuffer(name)) yield name;
    cursor = String(next);
  } while (cursor !== "0");
}
