/** vault keys: lists, adds, removes and changes the passwords that open the vault. */
import { audited } from "../core/audit/audited.ts";
import type { AddedKey, VaultKey } from "../core/ports/vault-keys.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { shortId } from "../model/identifiers.ts";

export const listKeys = async (bench: Workbench): Promise<readonly VaultKey[]> => (await bench.vaultKeys()).list();

/** @param kind of what it is for, for the log */
export const addKey = async (
  bench: Workbench,
  password: string,
  kind: "password" | "recovery key",
): Promise<AddedKey> => {
  const keys = await bench.vaultKeys();
  return audited(
    bench.audit,
    { action: "key-add", service: null, detail: { kind } },
    () => keys.add(password),
    ({ id }) => ({ detail: { key: shortId(id) } }),
  );
};

/** @throws RefloatError key.unknown, key.in-use */
export const removeKey = async (bench: Workbench, id: string): Promise<VaultKey> => {
  const keys = await bench.vaultKeys();
  return audited(
    bench.audit,
    { action: "key-remove", service: null, detail: { asked: id } },
    () => keys.remove(id),
    (removed) => ({ detail: { key: shortId(removed.id) } }),
  );
};

export const rotateKey = async (
  bench: Workbench,
  password: string,
): Promise<{ readonly added: AddedKey; readonly removed: VaultKey }> => {
  const keys = await bench.vaultKeys();
  // Open already: after the change the password that the file names may open nothing.
  await bench.vault();
  return audited(
    bench.audit,
    { action: "key-rotate", service: null, detail: {} },
    () => keys.rotate(password),
    ({ added, removed }) => ({ detail: { added: shortId(added.id), removed: shortId(removed.id) } }),
  );
};
