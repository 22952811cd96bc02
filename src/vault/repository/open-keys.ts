/** The keys of a repository, without opening what they seal. Both programs read each other's key files. */
import { createHash } from "node:crypto";
import type { AddedKey, VaultKey, VaultKeys } from "../../core/ports/vault-keys.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { silentLog } from "../../platform/log.ts";
import { currentOwner } from "./current-owner.ts";
import { readConfig, requireConfig } from "./format/config-file.ts";
import { lockOfThisProcess } from "./locks/process-lock.ts";
import type { RepositoryEnvironment } from "./assemble-repository.ts";
import { lockAlike } from "./retention/lock-alike.ts";
import type { NeededFile } from "./retention/needed-files.ts";
import { addKey, openKey, readKeyFile } from "./seal/key-file.ts";
import { Sealer } from "./seal/seal.ts";
import { openStore } from "./stores/open-store.ts";
import { configName, ifMissing } from "./stores/store.ts";

/** @throws RefloatError vault.not-found, vault.wrong-password, vault.damaged, vault.unsupported, vault.store-failed */
export const openKeys = async (
  location: string,
  password: string,
  { clock, log = silentLog, settings }: RepositoryEnvironment,
): Promise<VaultKeys> => {
  const store = openStore(location, { blocking: false, settings: settings ?? {} });
  try {
    await requireConfig(store, settings?.asOf);
    const opened = await openKey(store, password);
    let current = opened.name;
    const sealer = new Sealer(opened.masterKey);
    const { version } = await readConfig(store, sealer);
    const lock = lockOfThisProcess({ store, sealer, version, clock, log });

    /** As every writer: not while another has the vault for itself. */
    const held = async <Result>(act: () => Promise<Result>): Promise<Result> => {
      const hold = await lock.hold();
      try {
        return await act();
      } finally {
        hold.release();
        // Nothing follows that could use it, and restic would wait for it.
        await lock.letGo();
      }
    };

    const read = async (name: string): Promise<VaultKey | null> => {
      const content = await store.read("keys", name);
      if (createHash("sha256").update(content).digest("hex") !== name) return null;
      const file = readKeyFile(content);
      if (file === null) return null;
      const { username = "", hostname = "", created } = file;
      return { id: name, username, hostname, createdAt: created, current: name === current };
    };

    const list = async (): Promise<readonly VaultKey[]> => {
      const keys: VaultKey[] = [];
      for await (const { name } of store.list("keys")) {
        const key = await read(name);
        if (key !== null) keys.push(key);
      }
      return keys.sort((a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt) || a.id.localeCompare(b.id));
    };

    /** Who has only this password must open what is locked as long as who has another one. */
    const lockLikeOthers = async (id: string): Promise<Pick<AddedKey, "lock" | "notLocked">> => {
      const others: NeededFile[] = [{ kind: "config", name: configName }];
      for await (const { name } of store.list("keys")) if (name !== id) others.push({ kind: "keys", name });
      try {
        const lock = await lockAlike(store, others, [{ kind: "keys", name: id }], clock.now());
        return { lock: lock === null ? null : { until: lock.until.toISOString(), mode: lock.mode }, notLocked: null };
      } catch (error) {
        // The key is there and opens the vault: what it lacks must not hide that, nor a recovery key that is shown once.
        if (error instanceof RefloatError) return { lock: null, notLocked: error.message };
        throw error;
      }
    };

    const add = async (newPassword: string): Promise<AddedKey> => {
      const id = await addKey(store, opened.masterKey, newPassword, currentOwner(), clock.now());
      // Read back before anybody relies on it, or removes another for it.
      const proven = await openKey(store, newPassword, id);
      const key = await read(id);
      if (key === null || !proven.masterKey.equals(opened.masterKey))
        throw new RefloatError("vault.damaged", `the new key ${id.slice(0, 8)} is not what was written`);
      return { ...key, ...(await lockLikeOthers(id)) };
    };

    /** A folder keeps locked keys until their time; a bucket hides them. @param state what a refusal leaves */
    const removeFile = async (name: string, state: string): Promise<void> => {
      try {
        await store.remove("keys", name);
      } catch (error) {
        const { code, message, context, hint, nextCommand } = toRefloatError(error);
        throw new RefloatError(code, message, {
          cause: error,
          context,
          state,
          ...(hint === undefined ? {} : { hint }),
          ...(nextCommand === undefined ? {} : { nextCommand }),
        });
      }
    };

    return {
      location: store.location,
      list,

      opens: async (other) => {
        try {
          await openKey(store, other);
          return true;
        } catch (error) {
          // A damaged key may be one that it opens: nobody can say.
          if (error instanceof RefloatError && error.code === "vault.wrong-password") return false;
          throw error;
        }
      },

      add: (newPassword) => held(() => add(newPassword)),

      remove: async (id) => {
        const fitting = (await list()).filter((key) => id !== "" && key.id.startsWith(id));
        const [key, second] = fitting;
        if (key === undefined || second !== undefined) {
          throw new RefloatError(
            "key.unknown",
            key === undefined ? `the vault has no key ${id}` : `${fitting.length} keys begin with ${id}`,
            { context: { id }, nextCommand: "refloat vault keys" },
          );
        }
        if (key.current) {
          throw new RefloatError(
            "key.in-use",
            `key ${key.id.slice(0, 8)} opened this session, and is not removed by it`,
            {
              state: "nothing was changed; so a vault never loses its last key",
              hint: "change its password, or open the vault by another key and remove this one",
              nextCommand: "refloat vault keys rotate",
            },
          );
        }
        return held(async () => {
          await removeFile(key.id, "nothing was changed; the password still opens the vault");
          // Another session may have removed the one that opened this, while this removed the one that opened that.
          if ((await read(current).catch(ifMissing)) === null) current = (await add(password)).id;
          return key;
        });
      },

      rotate: (newPassword) =>
        held(async () => {
          const removed = await read(current);
          if (removed === null)
            throw new RefloatError("vault.damaged", `the key ${current.slice(0, 8)} is gone or damaged`);
          const added = await add(newPassword);
          current = added.id;
          await removeFile(removed.id, "both passwords open the vault: the new key is there, the old one has stayed");
          return { added: { ...added, current: true }, removed: { ...removed, current: false } };
        }),

      close: async () => {
        await lock.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
};
