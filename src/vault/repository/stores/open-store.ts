/** From a location as restic writes it to a store. The one place that knows which stores there are. */
import { isAbsolute, resolve } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { createLocalStore, type LocalStoreOptions, openLocalStore } from "./local-store.ts";
import type { Store } from "./store.ts";

const resticSchemes = new Set(["s3", "sftp", "rest", "b2", "azure", "gs", "swift", "rclone"]);

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
      ? `a vault at ${scheme.scheme}: is not supported by this version, only one in a local folder`
      : `"${scheme.scheme}:" is no place for a vault that is known here`,
    {
      context: { scheme: scheme.scheme ?? "" },
      hint: known
        ? "mount it as a folder, or keep the vault in a local folder and copy that with another tool"
        : "write the absolute path of a folder",
    },
  );
};

export const openStore = (location: string, options: LocalStoreOptions): Store =>
  openLocalStore(localPath(location), options);

export const createStore = async (location: string, options: LocalStoreOptions): Promise<Store> =>
  createLocalStore(localPath(location), options);
