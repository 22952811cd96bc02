/** Escrow bundles outside of the vault: reads secrets from where they are, seals them by age, and writes them where a person asks. */
import type { Dirent } from "node:fs";
import { mkdir, open, readFile, readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { EscrowItem, EscrowTools } from "../core/ports/escrow.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { openWithAge, sealWithAge } from "./age-seal.ts";
import { syncDirectory } from "./atomic-file.ts";
import { packEscrow, unpackEscrow } from "./escrow-archive.ts";
import { newPlaces } from "./new-places.ts";
import { makePrivateFolder } from "./private-folder.ts";

const unavailable = (path: string, why: string, cause?: unknown): RefloatError =>
  new RefloatError("secret.unavailable", `the secret file ${path} cannot be read: ${why}`, { cause });

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unreadable";

const readOne = async (path: string, signal: AbortSignal): Promise<EscrowItem> => {
  try {
    // A pipe or a device would never end.
    if (!(await stat(path)).isFile()) throw unavailable(path, "it is neither a file nor a folder of files");
    return { name: `files${path}`, source: `file:${path}`, content: await readFile(path, { signal }) };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof RefloatError ? error : unavailable(path, codeOf(error), error);
  }
};

const read: EscrowTools["read"] = async (named, signal) => {
  const path = resolve(named);
  let below: readonly Dirent[];
  try {
    below = (await stat(path)).isDirectory() ? await readdir(path, { recursive: true, withFileTypes: true }) : [];
    if (below.length === 0) return [await readOne(path, signal)];
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof RefloatError ? error : unavailable(path, codeOf(error), error);
  }
  const items: EscrowItem[] = [];
  for (const entry of below)
    if (!entry.isDirectory()) items.push(await readOne(join(entry.parentPath, entry.name), signal));
  return items;
};

const writeSecret = async (path: string, content: Uint8Array): Promise<void> => {
  await makePrivateFolder(dirname(path));
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
};

export const escrowTools: EscrowTools = {
  read,
  seal: async (contents, lock) => sealWithAge(await packEscrow(contents), lock),
  open: async (sealed, key) => unpackEscrow(await openWithAge(sealed, key)),
  write: async (target, { items }, signal) =>
    newPlaces.make(target, async (partial) => {
      await mkdir(partial, { mode: 0o700 });
      for (const { name, content } of items) {
        signal.throwIfAborted();
        await writeSecret(join(partial, name), content);
      }
      await syncDirectory(partial);
    }),
};
