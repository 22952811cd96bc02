/** Two programs that keep a whole server: each with a fresh repository when asked, captures into it, and a restore out of it beside the live server. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Measured } from "../recovery/measured-process.ts";

export type RestoredServer = {
  /** From the order to a server that takes writes as of the moment that was asked for. */
  readonly runningMs: number;
  /** What the program itself took for the files; null where that is not told apart. */
  readonly wholeMs: number;
  readonly url: string;
  /** Ends it and takes its files away. Not timed. */
  readonly remove: () => Promise<void>;
};

export type Contestant = {
  readonly name: "refloat" | "pgbackrest";
  /** An empty repository, and from here on the log goes there. Not timed. */
  readonly begin: () => Promise<void>;
  /** The first one is a full one; the following ones are what this program does every day. */
  readonly capture: () => Promise<Measured>;
  /** Resolves when all of the log that the server has written is in the repository. */
  readonly awaitLog: () => Promise<void>;
  /** The newest capture, and the log to its end. */
  readonly restore: () => Promise<RestoredServer>;
  /** What the repository takes on its disk. */
  readonly bytes: () => number;
  /** Of those what the captures take, without the log. */
  readonly captureBytes: () => number;
  readonly end: () => Promise<void>;
};

/** Of a folder with all that is in it. */
export const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
