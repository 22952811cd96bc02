/** What of the logs of a service has come to the vault: while they are received, and when that has ended. */
import { formatBytes } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { LogSpan } from "../model/log-span.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type LogState = {
  readonly component: string;
  /** How far the vault has it; null before it has any. */
  readonly durable: { readonly at: string; readonly lagMs: number; readonly behindBytes: number } | null;
  /** Why nothing comes at the moment. */
  readonly waiting: string | null;
};

/** `db  stored to 14:12:07, 0.4s and 12 kB behind` */
export const describeLogState = ({ component, durable, waiting }: LogState, screen: Screen): string => {
  const stored =
    durable === null
      ? "nothing stored yet"
      : `stored to ${formatTime(durable.at, durable.at, screen.timeZone)}, ${formatLag(durable.lagMs)} and ${formatBytes(durable.behindBytes)} behind`;
  return `${component}  ${stored}${waiting === null ? "" : `; ${screen.paint("yellow", `waits: ${waiting}`)}`}`;
};

const formatLag = (ms: number): string =>
  ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : formatDuration(Math.round(ms / 1000) * 1000);

export const renderReceivedLogs = (
  { service, spans }: { readonly service: string; readonly spans: readonly LogSpan[] },
  now: string,
  screen: Screen,
): string =>
  lines(
    spans.length === 0 ? `nothing of ${service} was received` : [],
    spans.flatMap(({ component, fromAt, toAt, line, from, to }) => {
      const time = (at: string): string => formatTime(at, now, screen.timeZone);
      return hanging(
        `${component}  `,
        `any second from ${time(fromAt)} to ${time(toAt)} (${line}, ${from} to ${to})`,
        screen,
      );
    }),
    nextLine(screen, `refloat capture ${service} --continuous`),
  );
