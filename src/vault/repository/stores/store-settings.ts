/** What a store needs to know beyond its location, from the file and the command line. Each worker thread opens the store for itself. */
import type { StoreUseHandle } from "./decorators/store-use.ts";
import type { ThrottleHandle } from "./decorators/throttle.ts";

/** Structured-cloneable. */
export type StoreSettings = {
  /** Path of a file that is read instead of ~/.ssh/config. */
  readonly sshConfig?: string;
  /** The rates that all threads keep together. */
  readonly throttle?: ThrottleHandle;
  /** Where all threads count what they ask of the store. */
  readonly use?: StoreUseHandle;
};

export type StoreOptions = {
  /**
   * Reads block the thread where the store is a folder: several times as fast as going through the thread pool, and right in a worker,
   * which has nothing else to do meanwhile.
   */
  readonly blocking: boolean;
  readonly settings?: StoreSettings;
};
