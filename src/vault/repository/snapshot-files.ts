/**
 * The snapshots of an open repository, and which file each lies in: for what was copied from another vault, one of another name. What a
 * snapshot holds is not known here.
 */
import type { Unreadable } from "../../core/ports/vault-snapshots.ts";
import { snapshotIdSchema } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type StoredSnapshot, readSnapshot } from "./format/snapshot-file.ts";
import type { RepositoryContext } from "./repository-context.ts";
import { StoreFileMissing, ifMissing } from "./stores/store.ts";

export type ListedSnapshots = {
  /** Each id once. */
  readonly readable: readonly StoredSnapshot[];
  readonly damaged: readonly Unreadable[];
};

export class SnapshotFiles {
  readonly #context: Pick<RepositoryContext, "store" | "documents" | "sealer" | "log">;
  /** By name and size: a snapshot never changes, and each look at them would read them all again. */
  readonly #known = new Map<string, StoredSnapshot>();

  constructor(context: Pick<RepositoryContext, "store" | "documents" | "sealer" | "log">) {
    this.#context = context;
  }

  async list(except: ReadonlySet<string> = new Set()): Promise<ListedSnapshots> {
    const { files, damaged } = await this.#files(except);
    const readable = new Map<string, StoredSnapshot>();
    for (const snapshot of files) {
      if (except.has(snapshot.id)) continue;
      const known = readable.get(snapshot.id);
      // Two copies that were made at once; or it was copied back to where it was made.
      if (known === undefined || snapshot.file === snapshot.id) readable.set(snapshot.id, snapshot);
    }
    return { readable: [...readable.values()], damaged };
  }

  /** @param id full or a unique prefix @throws RefloatError point.unknown, point.ambiguous, vault.damaged */
  async read(id: string): Promise<StoredSnapshot> {
    const { documents, sealer } = this.#context;
    return readSnapshot(documents, sealer, await this.#fileOf(id));
  }

  /** By id, every file that the snapshot lies in; for one that cannot be read, that of its id. @param ids full */
  async filesOf<Id extends string>(ids: readonly Id[]): Promise<ReadonlyMap<Id, readonly string[]>> {
    if (ids.length === 0) return new Map();
    const { files } = await this.#files(new Set());
    const byId = Map.groupBy(files, ({ id }): string => id);
    return new Map(ids.map((id) => [id, byId.get(id)?.map(({ file }) => file) ?? [id]]));
  }

  async #fileOf(id: string): Promise<string> {
    const { store } = this.#context;
    // By far the most are asked for by all of their name, and lie under it.
    if (snapshotIdSchema.safeParse(id).success && (await store.stat("snapshots", id).catch(ifMissing)) !== null)
      return id;
    const names: string[] = [];
    for await (const { name } of store.list("snapshots")) names.push(name);
    const fitting = names.filter((name) => id !== "" && name.startsWith(id));
    if (fitting.length === 0 && id !== "") {
      const { readable } = await this.list();
      fitting.push(...readable.filter((snapshot) => snapshot.id.startsWith(id)).map(({ file }) => file));
    }
    const [only, second] = fitting;
    if (only === undefined) {
      throw new RefloatError("point.unknown", `the vault has no snapshot ${id}`, { context: { id } });
    }
    if (second !== undefined) {
      throw new RefloatError("point.ambiguous", `${fitting.length} snapshots begin with ${id}`, { context: { id } });
    }
    return only;
  }

  async #files(except: ReadonlySet<string>): Promise<{
    readonly files: readonly StoredSnapshot[];
    readonly damaged: readonly Unreadable[];
  }> {
    const { store, documents, sealer, log } = this.#context;
    const files: StoredSnapshot[] = [];
    const damaged: Unreadable[] = [];
    for await (const { name, sizeBytes } of store.list("snapshots")) {
      if (except.has(name)) continue;
      try {
        const key = `${name} ${sizeBytes}`;
        const snapshot = this.#known.get(key) ?? (await readSnapshot(documents, sealer, name));
        this.#known.set(key, snapshot);
        files.push(snapshot);
      } catch (error) {
        // Removed since it was listed.
        if (error instanceof StoreFileMissing) continue;
        if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
        log.warn("a snapshot of the vault cannot be read", { snapshot: name, reason: error.message });
        damaged.push({ id: name, reason: error.message });
      }
    }
    return { files, damaged };
  }
}
