/**
 * One connection of PostgreSQL's streaming replication protocol, as pg_receivewal speaks it: who the server is, the slot, and its WAL as it is
 * written. Knows no vault. Protocol: https://www.postgresql.org/docs/current/protocol-replication.html
 */
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { QueryResult } from "pg";
import { RefloatError } from "../../model/refloat-error.ts";
import { type SessionOptions, openClient } from "../../platform/postgres/session.ts";
import { millisecondsOf } from "./wal-transactions.ts";

export type ServerIdentity = {
  readonly system: string;
  readonly timeline: number;
  /** Up to where its WAL is durable there. */
  readonly end: string;
};

export type WalMessage = {
  /** Position of the first byte. */
  readonly from: bigint;
  /** None when the server only says that it is alive. */
  readonly bytes: Buffer;
  /** Where the server's WAL ended when it sent this; of one without bytes, how far it had been sent. */
  readonly end: bigint;
  /** By the server's clock. */
  readonly atMs: number;
};

export type NextTimeline = { readonly timeline: number; readonly from: string };

export type WalConnection = {
  readonly identity: ServerIdentity;
  readonly segmentBytes: number;
  readonly pageBytes: number;
  /** A permanent physical slot that keeps WAL from now on. */
  readonly createSlot: (slot: string) => Promise<void>;
  readonly dropSlot: (slot: string) => Promise<void>;
  /** @throws the server's own error */
  readonly history: (timeline: number) => Promise<string>;
  /**
   * Streams until the timeline ends, which gives the next one, or until the connection is closed. Stops reading from the server while what was
   * received is not taken.
   */
  readonly stream: (request: {
    readonly slot: string;
    readonly from: string;
    readonly timeline: number;
  }) => AsyncGenerator<WalMessage, NextTimeline | null>;
  /** What is durable, and need not be kept for us any more. @param asks for an answer at once */
  readonly acknowledge: (flushed: bigint, asks: boolean) => void;
  /** Lets `stream` end at once with what it has given. */
  readonly stop: () => void;
  /** Idempotent. Before it, what was acknowledged reaches the server. */
  readonly close: () => Promise<void>;
};

/** Parts of pg's connection that its types do not name; pg-logical-replication rests on the same. */
type CopyConnection = EventEmitter & {
  readonly stream: Socket;
  readonly sendCopyFromChunk: (chunk: Buffer) => void;
  readonly endCopyFrom: () => void;
};

const queuedBytes = 8 * 1024 * 1024;
const dataTag = "w".charCodeAt(0);
const aliveTag = "k".charCodeAt(0);

/** @returns null for a kind of message that is not known */
const readMessage = (chunk: Buffer): (WalMessage & { readonly asks: boolean }) | null => {
  const tag = chunk.readUInt8(0);
  if (tag === dataTag) {
    return {
      from: chunk.readBigUInt64BE(1),
      end: chunk.readBigUInt64BE(9),
      atMs: millisecondsOf(chunk.readBigInt64BE(17)),
      // The memory of the chunk is used again for the next one.
      bytes: Buffer.from(chunk.subarray(25)),
      asks: false,
    };
  }
  if (tag !== aliveTag) return null;
  const end = chunk.readBigUInt64BE(1);
  return {
    from: end,
    end,
    atMs: millisecondsOf(chunk.readBigInt64BE(9)),
    bytes: Buffer.alloc(0),
    asks: chunk[17] === 1,
  };
};

const statusUpdate = (flushed: bigint, asks: boolean): Buffer => {
  const update = Buffer.alloc(34);
  update.write("r", 0);
  for (const at of [1, 9, 17]) update.writeBigUInt64BE(flushed, at);
  // The server looks at our clock only to show it.
  update.writeBigInt64BE(0n, 25);
  update.writeUInt8(asks ? 1 : 0, 33);
  return update;
};

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** @throws RefloatError source.unreachable, source.denied; afterwards the server's own errors */
export const openWalConnection = async (options: SessionOptions): Promise<WalConnection> => {
  const { client, lost, close } = await openClient(options, true);
  let failure: Error | null = null;
  let wake = (): void => undefined;
  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error));
    wake();
  };
  lost.addEventListener("abort", () => fail(lost.reason));
  const { connection } = client as unknown as { readonly connection: CopyConnection };
  const ask = async (text: string): Promise<readonly Record<string, unknown>[]> => {
    type Answer = QueryResult<Record<string, unknown>>;
    // A stream that ends with its timeline is told complete twice, which the client takes for two results.
    const answers: Answer | readonly Answer[] = await client.query<Record<string, unknown>>(text);
    return [answers].flat().flatMap(({ rows }) => rows);
  };
  let flushed = 0n;
  let isStopped = false;
  /** Before and after, the server takes commands and no messages. */
  let isStreaming = false;
  connection.on("replicationStart", () => (isStreaming = true));
  connection.on("copyDone", () => {
    isStreaming = false;
    connection.endCopyFrom();
  });
  const stop = (): void => {
    isStopped = true;
    wake();
  };
  const acknowledge = (position: bigint, asks: boolean): void => {
    flushed = position;
    if (failure === null && isStreaming) connection.sendCopyFromChunk(statusUpdate(flushed, asks));
  };

  async function* stream({ slot, from, timeline }: Parameters<WalConnection["stream"]>[0]) {
    const queue: WalMessage[] = [];
    let held = 0;
    flushed = bytesBefore(from);
    const onData = ({ chunk }: { readonly chunk: Buffer }): void => {
      const message = readMessage(chunk);
      if (message === null) return;
      if (message.asks) acknowledge(flushed, false);
      queue.push(message);
      held += message.bytes.length;
      if (held > queuedBytes) connection.stream.pause();
      wake();
    };
    connection.on("copyData", onData);
    let ended: { readonly next: NextTimeline | null } | null = null;
    const where = `START_REPLICATION SLOT ${quoted(slot)} PHYSICAL ${from} TIMELINE ${timeline}`;
    ask(where)
      .then(([row]) => {
        const next =
          row === undefined ? null : { timeline: Number(row["next_tli"]), from: String(row["next_tli_startpos"]) };
        ended = { next };
        wake();
      })
      .catch(fail);
    try {
      for (;;) {
        if (isStopped) return null;
        const message = queue.shift();
        if (message !== undefined) {
          held -= message.bytes.length;
          if (held <= queuedBytes / 2) connection.stream.resume();
          yield message;
          continue;
        }
        const end = ended as { readonly next: NextTimeline | null } | null;
        if (end !== null) return end.next;
        if (failure !== null) throw failure;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      connection.off("copyData", onData);
    }
  }

  try {
    const [system] = await ask("IDENTIFY_SYSTEM");
    const [segment] = await ask("SHOW wal_segment_size");
    const [page] = await ask("SHOW wal_block_size");
    return {
      identity: {
        system: String(system?.["systemid"]),
        timeline: Number(system?.["timeline"]),
        end: String(system?.["xlogpos"]),
      },
      segmentBytes: sizeOf(String(segment?.["wal_segment_size"])),
      pageBytes: Number(page?.["wal_block_size"]),
      createSlot: async (slot) => void (await ask(`CREATE_REPLICATION_SLOT ${quoted(slot)} PHYSICAL RESERVE_WAL`)),
      dropSlot: async (slot) => void (await ask(`DROP_REPLICATION_SLOT ${quoted(slot)}`)),
      history: async (line) => {
        const [row] = await ask(`TIMELINE_HISTORY ${line}`);
        const content = row?.["content"];
        return Buffer.isBuffer(content) ? content.toString("utf8") : String(content);
      },
      stream,
      acknowledge,
      stop,
      close: () => close(true),
    };
  } catch (error) {
    await close(false);
    throw error;
  }
};

const units: Readonly<Record<string, number>> = { B: 1, kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** As SHOW writes it: `16MB`. */
const sizeOf = (text: string): number => {
  const { count, unit } = /^(?<count>\d+)(?<unit>B|kB|MB|GB)?$/.exec(text)?.groups ?? {};
  if (count === undefined) throw new RefloatError("source.failed", `wal_segment_size is "${text}"`);
  return Number(count) * (units[unit ?? "B"] ?? 1);
};

/** The begin of the segment that a position lies in: a reader of WAL begins there. */
export const segmentBegin = (position: string, segmentBytes: number): string => {
  const bytes = bytesBefore(position);
  return positionAfter(bytes - (bytes % BigInt(segmentBytes)));
};
