/**
 * What a store needs to know beyond its location, from the file and the command line. Secrets are held so that they cannot be printed;
 * each worker thread opens the store for itself, and gets what it needs for that in memory alone.
 */
import type { Secret } from "../../../core/ports/environment.ts";
import type { S3Declaration } from "../../../model/declaration.ts";
import { hideText } from "../../../platform/secret.ts";
import type { CacheSettings } from "../cache/cache-folder.ts";
import type { StoreUseHandle } from "./decorators/store-use.ts";
import type { ThrottleHandle } from "./decorators/throttle.ts";

export type S3Settings = Omit<S3Declaration, "secretAccessKey" | "sessionToken"> & {
  readonly secretAccessKey?: Secret;
  readonly sessionToken?: Secret;
};

export type StoreSettings = {
  /** Path of a file that is read instead of ~/.ssh/config. */
  readonly sshConfig?: string;
  /** Where copies of a remote vault's indexes and trees are kept; none are without it. */
  readonly cache?: CacheSettings;
  /** The rates that all threads keep together. */
  readonly throttle?: ThrottleHandle;
  /** Where all threads count what they ask of the store. */
  readonly use?: StoreUseHandle;
  readonly s3?: S3Settings;
  /** The store is shown as it was then, and nothing is written. */
  readonly asOf?: Date;
};

export type StoreOptions = {
  /**
   * Reads block the thread where the store is a folder: several times as fast as going through the thread pool, and right in a worker,
   * which has nothing else to do meanwhile.
   */
  readonly blocking: boolean;
  readonly settings?: StoreSettings;
};

/** The settings with their secrets open, to be cloned into a thread. */
export type PackedSettings = Omit<StoreSettings, "s3"> & { readonly s3?: S3Declaration };

export const packSettings = ({ s3, ...others }: StoreSettings): PackedSettings => {
  if (s3 === undefined) return others;
  const { secretAccessKey, sessionToken, ...open } = s3;
  return {
    ...others,
    s3: {
      ...open,
      ...(secretAccessKey === undefined ? {} : { secretAccessKey: secretAccessKey.reveal() }),
      ...(sessionToken === undefined ? {} : { sessionToken: sessionToken.reveal() }),
    },
  };
};

export const unpackSettings = ({ s3, ...others }: PackedSettings): StoreSettings => {
  if (s3 === undefined) return others;
  const { secretAccessKey, sessionToken, ...open } = s3;
  return {
    ...others,
    s3: {
      ...open,
      ...(secretAccessKey === undefined ? {} : { secretAccessKey: hideText(secretAccessKey) }),
      ...(sessionToken === undefined ? {} : { sessionToken: hideText(sessionToken) }),
    },
  };
};
