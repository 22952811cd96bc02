/** From a location as restic writes it to a store. The one place that knows which stores there are. */
import { isAbsolute, resolve } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { measuredStore } from "./decorators/measured-store.ts";
import { pacedStore } from "./decorators/paced-store.ts";
import { retryingStore } from "./decorators/retrying-store.ts";
import { storeUseCounter } from "./decorators/store-use.ts";
import { type Pace, throttlePace } from "./decorators/throttle.ts";
import { createLocalStore, openLocalStore } from "./local-store.ts";
import { type SftpStoreOptions, createSftpStore, openSftpStore } from "./sftp/sftp-store.ts";
import type { Store } from "./store.ts";
import type { StoreOptions, StoreSettings } from "./store-settings.ts";

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

/** Counted where it is sent, so that each try counts; tried again only where a server may be away for a while. */
const decorate = (store: Store, { use }: StoreSettings, isRemote: boolean): Store => {
  const counter = use === undefined ? undefined : storeUseCounter(use);
  const measured = counter === undefined ? store : measuredStore(store, counter);
  return isRemote ? retryingStore(measured, { retried: () => counter?.countRetry() }) : measured;
};

const paceOf = ({ throttle }: StoreSettings): Pace | undefined =>
  throttle === undefined ? undefined : throttlePace(throttle);

const sftpOptions = (settings: StoreSettings): SftpStoreOptions => {
  const pace = paceOf(settings);
  return {
    ...(settings.sshConfig === undefined ? {} : { sshConfig: settings.sshConfig }),
    ...(pace === undefined ? {} : { pace }),
  };
};

const keepPace = (store: Store, settings: StoreSettings): Store => {
  const pace = paceOf(settings);
  return pace === undefined ? store : pacedStore(store, pace);
};

/** Connects, if it has to, when it is first used. @throws RefloatError vault.unsupported */
export const openStore = (location: string, options: StoreOptions): Store => {
  const { settings = {} } = options;
  return isSftp(location)
    ? decorate(openSftpStore(location, sftpOptions(settings)), settings, true)
    : decorate(keepPace(openLocalStore(localPath(location), options), settings), settings, false);
};

/** @throws RefloatError vault.exists, vault.unsupported, vault.* */
export const createStore = async (location: string, options: StoreOptions): Promise<Store> => {
  const { settings = {} } = options;
  return isSftp(location)
    ? decorate(await createSftpStore(location, sftpOptions(settings)), settings, true)
    : decorate(keepPace(await createLocalStore(localPath(location), options), settings), settings, false);
};
