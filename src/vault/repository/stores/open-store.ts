/** From a location as restic writes it to a store. The one place that knows which stores there are. */
import { isAbsolute, resolve } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { createLocalStore, type LocalStoreOptions, openLocalStore } from "./local-store.ts";
import { createSftpStore, openSftpStore } from "./sftp/sftp-store.ts";
import type { Store } from "./store.ts";

/** What reaching a store may need besides its location. Structured-cloneable: each worker thread opens the store for itself. */
export type StoreSettings = {
  /** Path of a file that is read instead of ~/.ssh/config. */
  readonly sshConfig?: string;
};

export type StoreOptions = LocalStoreOptions & StoreSettings;

const resticSchemes = new Set(["s3", "rest", "b2", "azure", "gs", "swift", "rclone"]);

const isSftp = (location: string): boolean => location.startsWith("sftp:");

/** @throws RefloatError vault.unsupported */
const localPath = (location: string): string => {
  if (isAbsolute(location)) return location;
  const scheme = /^(?<scheme>[a-z0-9]+):(?<rest>.*)$/i.exec(location)?.groups;
  if (scheme === undefined) return resolve(location);
  if (scheme.scheme === "local" || scheme.scheme === "file") return resolve((scheme.rest ?? "").replace(/^\/\//, ""));
  const known = resticSchemes.has(scheme.scheme ?? "");
  throw new RefloatError(
    "vault.unsupported",
    known
      ? `a vault at ${scheme.scheme}: is not supported by this version, only one in a local folder or on an SSH server`
      : `"${scheme.scheme}:" is no place for a vault that is known here`,
    {
      context: { scheme: scheme.scheme ?? "" },
      hint: known
        ? "mount it as a folder, or keep the vault in a local folder and copy that with another tool"
        : "write the absolute path of a folder, or sftp:user@host:/path",
    },
  );
};

export const openStore = (location: string, options: StoreOptions): Store =>
  isSftp(location) ? openSftpStore(location, options) : openLocalStore(localPath(location), options);

export const createStore = async (location: string, options: StoreOptions): Promise<Store> =>
  isSftp(location) ? createSftpStore(location, options) : createLocalStore(localPath(location), options);
