import { expect, it } from "vitest";
import { type BinlogEvent, eventHeaderBytes, eventType } from "./binlog-events.ts";
import { BinlogObstacles } from "./binlog-obstacles.ts";

const eventOf = (type: number): BinlogEvent => ({
  type,
  when: 0,
  serverId: 1,
  logPos: 0,
  bytes: Buffer.alloc(eventHeaderBytes),
});

it.each([
  [eventType.incident, /lost a part of its log/],
  [eventType.startEncryption, /encrypted/],
])("an event of kind %i, which no server of a test writes, is an obstacle", (type, reason) => {
  const obstacles = new BinlogObstacles({ source: "bench", ignoresCase: false });
  expect(obstacles.reasonOf(eventOf(type), { hasChecksums: false })).toMatch(reason);
  expect(obstacles.reasonOf(eventOf(eventType.xid), { hasChecksums: false })).toBeNull();
});
