/** Structured logs for machines, by pino, to a file or to standard error; people read the screens instead. */
import { openSync } from "node:fs";
import { type Logger, destination, pino } from "pino";
import type { Log } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";

const wrap = (logger: Logger): Log => ({
  debug: (message, fields) => logger.debug(fields ?? {}, message),
  info: (message, fields) => logger.info(fields ?? {}, message),
  warn: (message, fields) => logger.warn(fields ?? {}, message),
});

/** Opened here and not by pino: its own way makes missing folders, which never ends under /proc. */
const openLogFile = (path: string): number => {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new RefloatError("usage", `the log ${path} cannot be opened: ${why}`, {
      cause: error,
      hint: "name a file in a folder that is there, or - for standard error",
    });
  }
};

/**
 * @param target a file's path, or null for standard error
 * @throws RefloatError usage if the file cannot be opened
 */
export const createLog = (level: string, target: string | null): Log =>
  wrap(
    pino(
      { level, base: { pid: process.pid } },
      destination({ fd: target === null ? 2 : openLogFile(target), sync: true }),
    ),
  );

export const silentLog: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
