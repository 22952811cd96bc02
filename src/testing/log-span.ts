/** Spans of received logs for tests. */
import { positionAfter } from "../core/logs/log-position.ts";
import type { LogSpan } from "../model/log-span.ts";

/** A minute of the hour that the span of `createLogSpan` begins with. */
export const minuteOfLog = (minute: number): string => new Date(Date.UTC(2026, 10, 22, 14, minute)).toISOString();

/** Half an hour of one line of the PostgreSQL cluster `orders`. @param parts what is otherwise */
export const createLogSpan = (parts: Partial<LogSpan> = {}): LogSpan => ({
  service: "shop",
  component: "orders",
  driver: "postgres-cluster",
  line: "7000/1",
  from: "0/1000",
  to: "0/9000",
  fromAt: minuteOfLog(0),
  toAt: minuteOfLog(30),
  ...parts,
});

/** Where a log of a thousand bytes a minute stands at a minute. */
export const placeOfMinute = (minute: number): string => positionAfter(BigInt(minute) * 1000n);

/** Of such a log of the database `db`. */
export const createMinutesOfLog = (from: number, to: number, line = "7000/1"): LogSpan =>
  createLogSpan({
    component: "db",
    driver: "postgres",
    line,
    from: placeOfMinute(from),
    to: placeOfMinute(to),
    fromAt: minuteOfLog(from),
    toAt: minuteOfLog(to),
  });
