/** Structured logs for machines, by pino, to a file or to standard error; people read the screens instead. */
import { type Logger, destination, pino } from "pino";
import type { Log } from "../core/ports/environment.ts";

const wrap = (logger: Logger): Log => ({
  debug: (message, fields) => logger.debug(fields ?? {}, message),
  info: (message, fields) => logger.info(fields ?? {}, message),
  warn: (message, fields) => logger.warn(fields ?? {}, message),
});

/** @param target a file's path, or null for standard error */
export const createLog = (level: string, target: string | null): Log =>
  wrap(pino({ level, base: { pid: process.pid } }, destination({ dest: target ?? 2, sync: true, mkdir: true })));

export const silentLog: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
