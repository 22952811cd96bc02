/**
 * Repairs a vault: indexes are made again from the headers of packs, and blobs of damaged packs are written again from wherever a sound
 * copy is: the damaged pack itself, another pack, another vault, live files. Every blob is held against its id, so nothing wrong gets in.
 *
 * The order keeps every moment no worse than the one before: new packs, then indexes that name them, then the old indexes go, the
 * damaged packs last, and whatever goes is kept as evidence first. A repair that was killed is begun again. Damaged packs that cannot be
 * taken out, or only the indexes that name them, are written down: captures pass over them, and store again what they held.
 */
import type { RepairOptions, RepairReport, VerifyReport } from "../../../core/ports/vault-verification.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { BlobReader, openBlob } from "../blobs/blob-reader.ts";
import { createBlobTable } from "../blobs/blob-table.ts";
import { PackWriter } from "../blobs/pack-writer.ts";
import { type IndexedPack, indexParts, readIndex, writeIndex } from "../format/index-file.ts";
import { type BlobType, type PackedBlob, blobTypes } from "../format/pack-header.ts";
import { writeUnusedRecord } from "../format/unused-record.ts";
import { takeOut } from "../prune/let-go.ts";
import { lockAlike } from "../retention/lock-alike.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { createPackVerifier } from "./pack-verifier.ts";
import { readPackHeader } from "./read-pack-header.ts";

/** Finished packs that may be on their way to disk. */
const flushesAtOnce = 1;

type Wanted = { readonly id: string; readonly type: BlobType; readonly from: string | null };

const isDamage = (error: unknown): error is RefloatError =>
  error instanceof RefloatError && error.code === "vault.damaged";

class Repair {
  readonly #context: RepositoryContext;
  readonly #report: VerifyReport;
  readonly #options: RepairOptions;
  readonly #signal: AbortSignal;
  /** Where sound copies may lie: all packs but the damaged ones. */
  readonly #table = createBlobTable();
  readonly #indexes: string[] = [];
  readonly #rottenIndexes = new Set<string>();
  /** Sound indexes that name damaged packs, and what else they name. */
  readonly #stale = new Map<string, { readonly hurt: string[]; readonly kept: IndexedPack[] }>();
  readonly #damaged = new Map<string, readonly PackedBlob[]>();
  /** Where in damaged packs a blob lies, by type and id. */
  readonly #hurtPlaces = new Map<string, readonly { readonly packId: string; readonly blob: PackedBlob }[]>();
  readonly #found: IndexedPack[] = [];
  readonly #present = new Set<string>();
  readonly #blobs = { copied: 0, salvaged: 0, fetched: {} as Record<string, number>, lost: 0 };
  readonly #evidence: string[] = [];
  readonly #refused: RepairReport["refused"][number][] = [];

  constructor(context: RepositoryContext, report: VerifyReport, options: RepairOptions, signal: AbortSignal) {
    this.#context = context;
    this.#report = report;
    this.#options = options;
    this.#signal = signal;
  }

  async run(): Promise<RepairReport> {
    await this.#lookAtIndexes();
    await this.#lookAtPacks();
    for (const [packId, blobs] of this.#damaged) {
      for (const blob of blobs) {
        const key = `${blob.type} ${blob.id}`;
        this.#hurtPlaces.set(key, [...(this.#hurtPlaces.get(key) ?? []), { packId, blob }]);
      }
    }
    const written: IndexedPack[] = [];
    const writers = this.#options.apply ? this.#writers(written) : undefined;
    for (const wanted of this.#wanted()) {
      this.#signal.throwIfAborted();
      const plain = await this.#soundCopy(wanted);
      if (plain === undefined || writers === undefined) continue;
      writers[wanted.type].add(wanted.id, plain);
      await writers[wanted.type].settle(flushesAtOnce);
    }
    for (const type of blobTypes) await writers?.[type].flush();
    if (this.#options.apply) await this.#replace(written);
    return {
      applied: this.#options.apply,
      indexesRebuilt: this.#rottenIndexes.size + this.#stale.size,
      packsIndexed: this.#found.length,
      packsReplaced: this.#damaged.size,
      blobs: this.#blobs,
      evidence: this.#evidence,
      refused: this.#refused,
    };
  }

  #named(kind: string): ReadonlySet<string> {
    const { findings } = this.#report;
    return new Set(
      findings
        .filter(({ severity, object }) => severity === "error" && object.kind === kind)
        .map(({ object }) => object.id),
    );
  }

  async #lookAtIndexes(): Promise<void> {
    const { store, sealer } = this.#context;
    const hurt = this.#named("pack");
    for await (const { name } of store.list("index")) this.#indexes.push(name);
    for (const name of this.#indexes) {
      this.#signal.throwIfAborted();
      const kept: IndexedPack[] = [];
      const stale: string[] = [];
      try {
        await readIndex(store, sealer, name, (pack) => {
          this.#present.add(pack.id);
          if (hurt.has(pack.id)) {
            stale.push(pack.id);
            this.#damaged.set(pack.id, pack.blobs);
            return;
          }
          kept.push(pack);
          this.#table.place(pack.id, pack.blobs);
        });
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#rottenIndexes.add(name);
        continue;
      }
      if (stale.length > 0) this.#stale.set(name, { hurt: stale, kept });
    }
  }

  /** Packs in no readable index are taken in where something is missed; else they are what a capture is writing, or has left. */
  async #lookAtPacks(): Promise<void> {
    if (this.#rottenIndexes.size === 0 && this.#named("blob").size === 0) return;
    const { store, sealer } = this.#context;
    const verifyPack = createPackVerifier(store, sealer);
    for await (const { name, sizeBytes } of store.list("data")) {
      if (this.#present.has(name)) continue;
      this.#signal.throwIfAborted();
      const blobs = await readPackHeader(store, sealer, name, sizeBytes);
      if (blobs === undefined) continue;
      const { problems } = await verifyPack({ job: 0, packId: name, sizeBytes, blobs }, async () => undefined);
      if (problems.length === 0) {
        this.#table.place(name, blobs);
        this.#found.push({ id: name, blobs });
      } else this.#damaged.set(name, blobs);
    }
  }

  /** Each once: what lay in damaged packs, and what is in no pack at all. */
  *#wanted(): Generator<Wanted> {
    const seen = createBlobTable();
    for (const [from, blobs] of this.#damaged) {
      for (const { id, type } of blobs) if (seen.claim(id, type)) yield { id, type, from };
    }
    for (const id of this.#named("blob")) {
      // The finding does not say of which type it is.
      if (blobTypes.some((type) => seen.has(id, type) || this.#table.has(id, type))) continue;
      for (const type of blobTypes) if (seen.claim(id, type)) yield { id, type, from: null };
    }
  }

  /** @returns the blob if it has to be written again; undefined if a sound pack has it, or nobody */
  async #soundCopy({ id, type, from }: Wanted): Promise<Uint8Array | undefined> {
    if (this.#table.has(id, type) && (await this.#orUndefined(this.#reader().read(id, type))) !== undefined) {
      this.#blobs.copied += 1;
      return undefined;
    }
    for (const { packId, blob } of this.#hurtPlaces.get(`${type} ${id}`) ?? []) {
      const plain = await this.#orUndefined(this.#salvage(packId, blob));
      if (plain === undefined) continue;
      this.#blobs.salvaged += 1;
      return plain;
    }
    for (const { name, read } of this.#options.sources) {
      const plain = await read(id, type);
      if (plain === undefined) continue;
      this.#blobs.fetched[name] = (this.#blobs.fetched[name] ?? 0) + 1;
      return plain;
    }
    // Of one in no pack only one type was ever there.
    if (from !== null || type === "data") this.#blobs.lost += 1;
    return undefined;
  }

  #reader(): BlobReader {
    return new BlobReader(this.#context.store, this.#context.sealer, this.#table);
  }

  async #salvage(packId: string, blob: PackedBlob): Promise<Buffer> {
    const { store, sealer } = this.#context;
    const sealed = await store.readRange("data", packId, blob.offset, blob.length);
    return openBlob(sealed, blob.id, { packId, ...blob }, sealer);
  }

  async #orUndefined(reading: Promise<Buffer>): Promise<Buffer | undefined> {
    try {
      return await reading;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return undefined;
    }
  }

  #writers(written: IndexedPack[]): Record<BlobType, PackWriter> {
    const { store, sealer } = this.#context;
    const writer = (type: BlobType) =>
      new PackWriter({ type, store, sealer, finished: (pack: IndexedPack) => written.push(pack) });
    return { data: writer("data"), tree: writer("tree") };
  }

  async #replace(written: readonly IndexedPack[]): Promise<void> {
    const { store, sealer, config } = this.#context;
    await this.#requireUnchanged();
    const named = [...written, ...this.#found, ...[...this.#stale.values()].flatMap(({ kept }) => kept)];
    const indexes: string[] = [];
    for (const part of indexParts(named)) indexes.push(await writeIndex(store, sealer, config.version, part));
    await this.#lockAlike(written, indexes);
    // All of it before anything goes: without the indexes no later repair would find the damaged packs.
    for (const name of this.#rottenIndexes) await this.#keep("index", name);
    for (const id of this.#damaged.keys()) await this.#keep("data", id);
    for (const name of [...this.#rottenIndexes, ...this.#stale.keys()]) await this.#takeOut("index", name);
    for (const id of this.#damaged.keys()) await this.#takeOut("data", id);
    await this.#recordRemaining();
  }

  async #lockAlike(packs: readonly IndexedPack[], indexes: readonly string[]): Promise<void> {
    const { store, clock } = this.#context;
    const files = (kind: "index" | "data", names: Iterable<string>) => [...names].map((name) => ({ kind, name }));
    const replaced = [
      ...files("index", [...this.#rottenIndexes, ...this.#stale.keys()]),
      ...files("data", this.#damaged.keys()),
    ];
    const ids = packs.map(({ id }) => id);
    await lockAlike(store, replaced, [...files("data", ids), ...files("index", indexes)], clock.now());
  }

  async #recordRemaining(): Promise<void> {
    const { store, sealer, config } = this.#context;
    const held = new Set(this.#refused.map(({ name }) => name));
    const named = [...this.#stale].flatMap(([index, { hurt }]) => (held.has(index) ? hurt : []));
    const packs = [...new Set([...named, ...[...this.#damaged.keys()].filter((id) => held.has(id))])];
    if (packs.length > 0) await writeUnusedRecord(store, sealer, config.version, { kind: "damaged", packs });
  }

  /** What is locked in a folder stays, beside the sound copies: readers pass over what is damaged. */
  async #takeOut(kind: "index" | "data", name: string): Promise<void> {
    const reason = await takeOut(this.#context.store, kind, name);
    if (reason !== null) this.#refused.push({ kind, name, reason });
  }

  /** Another program that prunes or repairs has made other packs of these: what is known here is no longer true. */
  async #requireUnchanged(): Promise<void> {
    const names = new Set<string>();
    for await (const { name } of this.#context.store.list("index")) names.add(name);
    if (this.#indexes.every((name) => names.has(name))) return;
    throw new RefloatError("vault.locked", "another program has rewritten the vault's indexes meanwhile", {
      state: "nothing was removed; what was written again is in packs that no index names, which prune removes",
      nextCommand: "refloat verify --repair",
    });
  }

  async #keep(kind: "index" | "data", name: string): Promise<void> {
    let content: Buffer;
    try {
      content = await this.#context.store.read(kind, name);
    } catch (error) {
      // A pack that is missing leaves no evidence but its absence.
      if (isDamage(error)) return;
      throw error;
    }
    this.#evidence.push(await this.#options.keepEvidence(`${kind}-${name}`, content));
  }
}

/** @param report of a verification just now @throws RefloatError vault.locked, vault.store-failed, vault.no-space */
export const repairRepository = async (
  context: RepositoryContext,
  report: VerifyReport,
  options: RepairOptions,
  signal: AbortSignal,
): Promise<RepairReport> => new Repair(context, report, options, signal).run();
