/** From a location as restic writes it to a store. The one place that knows which stores there are. */
import { isAbsolute, resolve } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { measuredStore } from "./decorators/measured-store.ts";
import { pacedStore } from "./decorators/paced-store.ts";
import { retryingStore } from "./decorators/retrying-store.ts";
import { storeUseCounter } from "./decorators/store-use.ts";
import { type Pace, throttlePace } from "./decorators/throttle.ts";
import { createLocalStore, openLocalStore } from "./local-store.ts";
import { createS3Store, openS3Store } from "./s3/s3-store.ts";
import { type SftpStoreOptions, createSftpStore, openSftpStore } from "./sftp/sftp-store.ts";
import type { Store } from "./store.ts";
import type { StoreOptions, StoreSettings } from "./store-settings.ts";

const resticSchemes = new Set(["rest", "b2", "azure", "gs", "swift", "rclone"]);

type Place =
  | { readonly kind: "folder"; readonly path: string }
  /** With the whole location. */
  | { readonly kind: "s3"; readonly location: string }
  | { readonly kind: "sftp"; readonly location: string };

/** @throws RefloatError vault.unsupported */
const placeOf = (location: string): Place => {
  if (isAbsolute(location)) return { kind: "folder", path: location };
  const found = /^(?<scheme>[a-z0-9]+):(?<rest>.*)$/i.exec(location)?.groups;
  if (found === undefined) return { kind: "folder", path: resolve(location) };
  const { scheme = "", rest = "" } = found;
  if (scheme === "local" || scheme === "file") return { kind: "folder", path: resolve(rest.replace(/^\/\//, "")) };
  if (scheme === "s3" || scheme === "sftp") return { kind: scheme, location };
  const known = resticSchemes.has(scheme);
  throw new RefloatError(
    "vault.unsupported",
    known
      ? `a vault at ${scheme}: is not supported by this version, only one in a folder, on an SSH server or in a bucket`
      : `"${scheme}:" is no place for a vault that is known here`,
    {
      context: { scheme },
      hint: known
        ? "mount it as a folder, or keep the vault in a local folder and copy that with another tool"
        : "write the absolute path of a folder, sftp:user@host:/path or s3:https://host/bucket/prefix",
    },
  );
};

/** Of a vault in a folder, that folder; null of one elsewhere. @throws RefloatError vault.unsupported */
export const localFolderOf = (location: string): string | null => {
  const place = placeOf(location);
  return place.kind === "folder" ? place.path : null;
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

const refusePast = (location: string, { asOf }: StoreSettings): void => {
  if (asOf === undefined) return;
  throw new RefloatError(
    "vault.unsupported",
    `the vault at ${location} cannot be opened as of a time: a folder keeps no versions`,
    { hint: "only a bucket with versions can; for a folder, use a snapshot of its file system" },
  );
};

/** Connects, if it has to, and loads what that takes when it is first used. @throws RefloatError vault.unsupported */
export const openStore = (location: string, options: StoreOptions): Store => {
  const { settings = {} } = options;
  const place = placeOf(location);
  if (place.kind === "s3") return decorate(keepPace(openS3Store(place.location, settings), settings), settings, true);
  refusePast(location, settings);
  return place.kind === "sftp"
    ? decorate(openSftpStore(place.location, sftpOptions(settings)), settings, true)
    : decorate(keepPace(openLocalStore(place.path, options), settings), settings, false);
};

/** An empty store that a repository can be made in. @throws RefloatError vault.exists, vault.unsupported, vault.* */
export const createStore = async (location: string, options: StoreOptions): Promise<Store> => {
  const { settings = {} } = options;
  const place = placeOf(location);
  if (place.kind === "s3")
    return decorate(keepPace(await createS3Store(place.location, settings), settings), settings, true);
  refusePast(location, settings);
  return place.kind === "sftp"
    ? decorate(await createSftpStore(place.location, sftpOptions(settings)), settings, true)
    : decorate(keepPace(await createLocalStore(place.path, options), settings), settings, false);
};
