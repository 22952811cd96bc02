/**
 * vault escrow: seals the secrets that a recovery needs into a bundle of its own key, lists what bundles there are, and opens one again.
 * Names and contents of secrets go neither into the audit log nor into any other log.
 */
import { audited } from "../core/audit/audited.ts";
import { declaredSecrets } from "../core/escrow/declared-secrets.ts";
import { type EscrowView, listContents } from "../core/escrow/escrow-view.ts";
import type { EscrowContents, EscrowItem, EscrowKey, EscrowLock, StoredEscrow } from "../core/ports/escrow.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { shortId } from "../model/identifiers.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";

export type SealRequest = {
  /** Absolute: files and folders beside what the declaration names. */
  readonly paths: readonly string[];
  readonly lock: EscrowLock;
  /** Seals what can be read, and tells what cannot. */
  readonly acceptMissing: boolean;
};

/** @throws RefloatError escrow.shared-key, secret.unavailable, vault.* */
export const sealEscrow = async (
  bench: Workbench,
  { paths, lock, acceptMissing }: SealRequest,
  signal: AbortSignal,
): Promise<EscrowView> => {
  if (lock.kind === "password") await refuseSharedKey(bench, lock.secret.reveal());
  const { items, missing } = await gather(bench, paths, signal);
  if (missing.length > 0 && !acceptMissing) throw unreadable(missing);
  if (items.length === 0)
    throw new RefloatError("usage", "there is nothing to seal: no service names a secret, and no path was given", {
      state: "nothing was changed",
      nextCommand: "refloat vault escrow seal --help",
    });
  const { repository, escrows } = await bench.vault();
  const facts = { secrets: items.length, openedBy: lock.kind } as const;
  const contents: EscrowContents = {
    sealedAt: bench.clock.now().toISOString(),
    host: bench.host.hostname,
    vault: repository.id,
    items,
  };
  const stored = await audited(
    bench.audit,
    { action: "escrow-seal", service: null, detail: { ...facts, missing: missing.length } },
    async () => {
      const sealed = await bench.escrow.seal(contents, lock);
      // Before anybody relies on it.
      if (lock.kind === "password") await bench.escrow.open(sealed, lock);
      signal.throwIfAborted();
      const bundle = await escrows.store(sealed, facts);
      if (Buffer.compare(await escrows.read(bundle.id), sealed) === 0) return bundle;
      throw new RefloatError("vault.damaged", `the bundle ${shortId(bundle.id)} is not what was written`);
    },
    ({ id }) => ({ detail: { bundle: shortId(id) } }),
  );
  return view(bench, { contents: listContents(stored.id, contents), missing, target: null });
};

/** @param key shows what is in one of them too @param bundle first letters of its id; null for the newest */
export const listEscrows = async (
  bench: Workbench,
  key: EscrowKey | null,
  bundle: string | null,
): Promise<EscrowView> => {
  if (key === null) return view(bench, { contents: null, missing: [], target: null });
  const { found, contents } = await open(bench, key, bundle, { listed: true });
  return view(bench, { contents: listContents(found.id, contents), missing: [], target: null });
};

/** @param target absolute; must not be there @throws RefloatError escrow.wrong-key, escrow.unknown, target.exists, target.failed */
export const openEscrow = async (
  bench: Workbench,
  { key, bundle, target }: { readonly key: EscrowKey; readonly bundle: string | null; readonly target: string },
  signal: AbortSignal,
): Promise<EscrowView> => {
  const { found, contents } = await open(bench, key, bundle, { target }, (opened) =>
    bench.escrow.write(target, opened, signal),
  );
  return view(bench, { contents: listContents(found.id, contents), missing: [], target });
};

const view = async (bench: Workbench, shown: Pick<EscrowView, "contents" | "missing" | "target">) => {
  const { repository, escrows } = await bench.vault();
  return { location: repository.location, bundles: await escrows.list(), ...shown };
};

/** On record also when the key is wrong. */
const open = async (
  bench: Workbench,
  key: EscrowKey,
  bundle: string | null,
  detail: { readonly listed: true } | { readonly target: string },
  use: (contents: EscrowContents) => Promise<void> = async () => undefined,
): Promise<{ readonly found: StoredEscrow; readonly contents: EscrowContents }> => {
  const { escrows } = await bench.vault();
  const found = await escrows.find(bundle);
  return audited(
    bench.audit,
    { action: "escrow-open", service: null, detail: { bundle: shortId(found.id), ...detail } },
    async () => {
      const contents = await bench.escrow.open(await escrows.read(found.id), key);
      await use(contents);
      return { found, contents };
    },
    () => ({ detail: {} }),
  );
};

const refuseSharedKey = async (bench: Workbench, password: string): Promise<void> => {
  const keys = await bench.vaultKeys();
  if (!(await keys.opens(password))) return;
  throw new RefloatError(
    "escrow.shared-key",
    "this password opens the vault as well, and would keep nothing from who has it",
    {
      state: "nothing was changed",
      hint: "a bundle has a key of its own: another password, a recovery key for paper, or the public key of somebody else",
      nextCommand: "refloat vault escrow seal --recovery",
    },
  );
};

type Gathered = { readonly items: readonly EscrowItem[]; readonly missing: readonly string[] };

/** What the services refer to, then what was named; each once. */
const gather = async (bench: Workbench, paths: readonly string[], signal: AbortSignal): Promise<Gathered> => {
  const items = new Map<string, EscrowItem>();
  const missing: string[] = [];
  let commands = 0;
  const references = declaredSecrets(await bench.declaration());
  for (const reference of [...references, ...paths.map((path) => `file:${path}`)]) {
    const [scheme, rest] = [reference.slice(0, reference.indexOf(":")), reference.slice(reference.indexOf(":") + 1)];
    try {
      if (scheme === "file") for (const item of await bench.escrow.read(rest, signal)) items.set(item.name, item);
      else {
        if (scheme === "command") commands += 1;
        const name = scheme === "env" ? `env/${rest}` : `commands/${commands}`;
        const content = Buffer.from((await bench.readSecret(reference, signal)).reveal());
        items.set(name, { name, source: reference, content });
      }
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = toRefloatError(error);
      if (code !== "secret.unavailable") throw error;
      missing.push(message);
    }
  }
  return { items: [...items.values()], missing };
};

const unreadable = (missing: readonly string[]): RefloatError =>
  new RefloatError("secret.unavailable", missing.join("; "), {
    state: "nothing was changed",
    hint: "make them readable here, or say with --accept-missing that the bundle may go without them",
    nextCommand: "refloat vault escrow seal --accept-missing",
  });
