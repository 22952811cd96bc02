/** When pieces of a received log end: what was asked of the server, what came meanwhile, and what the vault is slow to take. */
import { beforeEach, expect, it } from "vitest";
import { PieceWriter } from "../../core/logs/piece-writer.ts";
import type { LogPiece } from "../../core/ports/vault-logs.ts";
import type { BinlogLook } from "./binlog-clock.ts";
import { placeBytes, positionOf } from "./binlog-line.ts";
import { BinlogLooks } from "./binlog-looks.ts";

type Answer = (offset: number, afterMs: number) => void;

let answers: Answer[];
let pieces: LogPiece[];
/** The vault takes a piece once this resolves. */
let taken: Promise<void>;
let writer: PieceWriter;
let looks: BinlogLooks;

const begin = 100;
const end = (offset: number): bigint => placeBytes({ number: 7, offset });

beforeEach(() => {
  answers = [];
  pieces = [];
  taken = Promise.resolve();
  writer = new PieceWriter({
    append: async (piece) => {
      await taken;
      pieces.push(piece);
    },
    everyMs: 0,
    report: () => undefined,
    of: { service: "shop", component: "db", driver: "mariadb" },
    line: "1/binlog/7-1",
    from: positionOf({ number: 7, offset: begin }),
    atMs: 1_000,
    history: null,
    monotonicMs: () => 0,
    behindBytes: () => 0,
    onDurable: () => undefined,
    onFailure: () => undefined,
  });
  const look = (): Promise<BinlogLook> =>
    new Promise((resolve) =>
      answers.push((offset, afterMs) => resolve({ beforeMs: afterMs - 2, end: { number: 7, offset }, afterMs })),
    );
  looks = new BinlogLooks({ look }, writer);
});

const receive = (bytes: number, when: number): void => {
  writer.add(new Uint8Array(bytes));
  looks.committed(writer.received, when);
};

const answer = (offset: number, afterMs: number): void => answers.shift()?.(offset, afterMs);

/** No moment lies outside of its piece. */
const places = (): readonly unknown[] =>
  pieces.map(({ from, to, moments }) => [from, to, moments.map(({ position, at }) => [position, Date.parse(at)])]);

const at = (offset: number): string => positionOf({ number: 7, offset });

it("a piece does not end behind a commit that came while the server was asked: the next look tells its time first", async () => {
  receive(50, 2);
  const first = looks.lookBetween();
  receive(50, 3);
  answer(150, 2_500);
  expect(await first).toEqual({ received: end(150), isCaughtUp: true });
  await new Promise(setImmediate);
  expect(writer.durable).toBe(end(begin));
  const second = looks.lookBetween();
  answer(200, 3_500);
  await second;
  await writer.flush();
  const moments = [
    [at(100), 1_000],
    [at(150), 2_500],
    [at(200), 3_500],
    [at(200), 3_500],
  ];
  expect(places()).toEqual([[at(100), at(200), moments]]);
});

it("nor behind one that comes while the vault is slow", async () => {
  let release = (): void => undefined;
  taken = new Promise((resolve) => (release = resolve));
  writer.add(new Uint8Array(50));
  await looks.cut();
  writer.add(new Uint8Array(17_000_000));
  const looked = looks.lookBetween();
  answer(17_000_150, 2_500);
  // Long enough for a look that waits for the vault to be waiting.
  await new Promise(setImmediate);
  receive(50, 3);
  release();
  await looked;
  const cut = looks.cut();
  await new Promise(setImmediate);
  answer(17_000_200, 3_500);
  await cut;
  await writer.flush();
  expect(places().slice(1)).toEqual([
    [
      at(150),
      at(17_000_200),
      [
        [at(150), 1_000],
        [at(17_000_150), 2_498],
        [at(17_000_200), 3_500],
        [at(17_000_200), 3_500],
      ],
    ],
  ]);
});
