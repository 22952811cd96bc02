/** Opens a repository that is there, of restic's version 1 (to read) or 2. */
import type { Repository } from "../../core/ports/vault.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { requireConfig } from "./format/config-file.ts";
import { type RepositoryEnvironment, assembleRepository } from "./assemble-repository.ts";
import { openKey } from "./seal/key-file.ts";
import { openStore } from "./stores/open-store.ts";
import type { StoreSettings } from "./stores/store-settings.ts";

/**
 * Writes nothing. The repository must be closed, or its worker threads and its lock live on.
 * @param location as restic writes it: an absolute path, `local:PATH`, `sftp:USER@HOST:PATH` or `s3:https://HOST/BUCKET/PREFIX`
 * @throws RefloatError vault.not-found, vault.wrong-password, vault.damaged, vault.unsupported, vault.store-failed
 */
export const openRepository = async (
  location: string,
  password: string,
  environment: RepositoryEnvironment,
): Promise<Repository> => {
  const store = openStore(location, { blocking: false, settings: environment.settings ?? {} });
  try {
    await requireConfig(store, environment.settings?.asOf);
    const { masterKey, name } = await openKey(store, password);
    return await assembleRepository(store, masterKey, environment, name);
  } catch (error) {
    // A connection that stays open would keep the process alive.
    await store.close();
    throw error;
  }
};

/** Whether there is a repository, whatever its password; writes nothing. @throws RefloatError vault.* where that cannot be told */
export const isRepositoryAt = async (location: string, settings: StoreSettings): Promise<boolean> => {
  const store = openStore(location, { blocking: false, settings });
  try {
    await requireConfig(store, settings.asOf);
    return true;
  } catch (error) {
    if (error instanceof RefloatError && error.code === "vault.not-found") return false;
    throw error;
  } finally {
    await store.close();
  }
};
