/** Spans of received logs for tests. */
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
