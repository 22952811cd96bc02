/** Makes an empty repository. */
import { randomBytes } from "node:crypto";
import type { Repository } from "../../core/ports/vault.ts";
import { currentOwner } from "./current-owner.ts";
import { drawConfig, writeConfig } from "./format/config-file.ts";
import { type RepositoryEnvironment, assembleRepository } from "./assemble-repository.ts";
import { addKey } from "./seal/key-file.ts";
import { Sealer, keyBytes } from "./seal/seal.ts";
import { createStore } from "./stores/open-store.ts";

/**
 * Makes an empty repository of version 2 and opens it.
 * @param location as restic writes it: an absolute path, `local:PATH`, `sftp:USER@HOST:PATH` or `s3:https://HOST/BUCKET/PREFIX`
 * @param cutAs files are cut as by that one, so that what both capture of the same file are the same blobs
 * @throws RefloatError vault.exists, vault.unsupported, vault.no-space, vault.store-failed
 */
export const createRepository = async (
  location: string,
  password: string,
  environment: RepositoryEnvironment,
  cutAs?: Pick<Repository, "polynomial">,
): Promise<Repository> => {
  const store = await createStore(location, { blocking: false, settings: environment.settings ?? {} });
  try {
    const masterKey = randomBytes(keyBytes);
    const { hostname, username } = currentOwner();
    const key = await addKey(store, masterKey, password, { hostname, username }, environment.clock.now());
    // Last: without its config a repository does not exist, and can be made again.
    await writeConfig(store, new Sealer(masterKey), {
      ...drawConfig(),
      ...(cutAs === undefined ? {} : { polynomial: BigInt(`0x${cutAs.polynomial}`) }),
    });
    return await assembleRepository(store, masterKey, environment, key);
  } catch (error) {
    await store.close();
    throw error;
  }
};
