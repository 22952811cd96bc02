/**
 * The second phase of a prune: takes away packs that were found unused long enough ago that nobody can count on them any more. Exclusive
 * towards restic for the moment in which indexes change; captures of ours go on, since they have read which packs are unused.
 *
 * Order: new indexes, then the old ones go, then the packs, then the records. Whoever reads finds everything at any instant, and whatever
 * a kill leaves is taken up by the next prune.
 */
import pLimit from "p-limit";
import { type IndexedPack, indexParts, readIndex, writeIndex } from "../format/index-file.ts";
import { AcquiredLock } from "../locks/acquired-lock.ts";
import type { HeldLock, RepositoryLockOptions } from "../locks/repository-lock.ts";
import { type Session, readSessions } from "../locks/sessions.ts";
import type { RepositoryContext } from "../repository-context.ts";
import type { StoreKind } from "../stores/store.ts";
import type { Census } from "./census.ts";
import { type Kept, heldByLock, letGo } from "./let-go.ts";

const removalsAtOnce = 8;
const nothing: ReadonlySet<string> = new Set();

export type Refusal = Kept & { readonly kind: StoreKind; readonly name: string };

export type Sweep = {
  readonly removedPacks: number;
  readonly freedBytes: number;
  /** Removed, and kept by the store as versions that nobody sees. */
  readonly hiddenBytes: number;
  /** Found unused, and used by what was committed since: they stay. */
  readonly recoveredPacks: number;
  /** Who may count on what is unused, or reads the vault; empty if the wait is for time alone. */
  readonly waitsFor: readonly string[];
  /** When the last of what waits for time alone may go; null if nothing does. */
  readonly waitsUntil: string | null;
  /** What the store does not let go of. */
  readonly refused: readonly Refusal[];
};

type SweepContext = Pick<RepositoryContext, "store" | "sealer" | "config" | "clock"> & {
  readonly lockOptions: RepositoryLockOptions;
  readonly held: HeldLock;
};

export class Sweeper {
  readonly #context: SweepContext;
  readonly #census: Census;
  readonly #graceMs: number;
  readonly #signal: AbortSignal;
  readonly #refused: Refusal[] = [];
  #removedPacks = 0;
  #removedBytes = 0;
  #recoveredPacks = 0;

  constructor(context: SweepContext, census: Census, graceMs: number, signal: AbortSignal) {
    this.#context = context;
    this.#census = census;
    this.#graceMs = graceMs;
    this.#signal = signal;
  }

  async run(): Promise<Sweep> {
    const { lockOptions, held } = this.#context;
    const before = this.#due(this.#others(await readSessions(lockOptions), []));
    if (before.records.length === 0) {
      await this.#forgetDamaged();
      return this.#result(before);
    }
    const lock = await AcquiredLock.write(lockOptions, "sweep");
    lock.keepFresh();
    let due = before;
    let packs: ReadonlySet<string> = nothing;
    try {
      const others = this.#others(await readSessions(lockOptions), [lock.session]);
      const blocking = others.filter(({ role }) => role !== "capture");
      if (blocking.length > 0) {
        return this.#result({ waitsFor: blocking.map(({ who }) => who), waitsUntil: null });
      }
      due = this.#due(others);
      // Whoever may have counted on them has ended by now: what they have committed is seen here.
      await this.#census.walkSnapshots(nothing);
      await held.requireFresh();
      const unused = this.#unusedOf(due.records);
      this.#recoveredPacks = new Set(this.#packsOf(due.records)).size - unused.size;
      packs = await this.#dropFromIndexes(unused);
    } finally {
      await lock.remove();
    }
    await this.#removePacks(packs);
    await this.#forget(due.records);
    await this.#forgetDamaged();
    return this.#result(due);
  }

  #others(sessions: readonly Session[], own: readonly string[]): readonly Session[] {
    const mine = new Set([...own, this.#context.held.session()]);
    return sessions.filter(({ key }) => !mine.has(key));
  }

  /** Records of unused packs whose time has come. */
  #due(others: readonly Session[]) {
    const nowMs = this.#context.clock.now().getTime();
    const alive = new Map(others.map(({ key, who }) => [key, who]));
    const records: string[] = [];
    const waitsFor = new Set<string>();
    let waitsUntil: string | null = null;
    for (const record of this.#census.records.values()) {
      if (record.kind !== "witness") continue;
      const busy = record.sessions.flatMap((key) => alive.get(key) ?? []);
      const endMs = Date.parse(record.at) + this.#graceMs;
      for (const who of busy) waitsFor.add(who);
      if (endMs > nowMs) {
        const end = new Date(endMs).toISOString();
        if (waitsUntil === null || end > waitsUntil) waitsUntil = end;
      } else if (busy.length === 0) records.push(...record.records);
    }
    return { records: records.filter((name) => this.#census.records.has(name)), waitsFor: [...waitsFor], waitsUntil };
  }

  #packsOf(records: readonly string[]): readonly string[] {
    return records.flatMap((name) => {
      const record = this.#census.records.get(name);
      return record?.kind === "unused" ? record.packs : [];
    });
  }

  #unusedOf(records: readonly string[]): ReadonlySet<string> {
    const { packs, packNumbers } = this.#census;
    return new Set(this.#packsOf(records).filter((id) => (packs[packNumbers.get(id) ?? -1]?.usedBlobs ?? 0) === 0));
  }

  /** @returns the packs that no index names any more */
  async #dropFromIndexes(unused: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const { store, clock } = this.#context;
    const { indexes, packs } = this.#census;
    const idOf = (number: number): string => packs[number]?.id ?? "";
    const old = [...indexes].filter(([, numbers]) => numbers.some((number) => unused.has(idOf(number))));
    const free = new Set(unused);
    // What an index still names must stay, or whoever reads that index finds a hole.
    const keep = (numbers: readonly number[]): void => {
      for (const number of numbers) free.delete(idOf(number));
    };
    const going = new Map<string, readonly number[]>();
    for (const [name, numbers] of old) {
      const held = await heldByLock(store, "index", name, clock);
      if (held === null) going.set(name, numbers);
      else {
        this.#refused.push({ kind: "index", name, ...held });
        keep(numbers);
      }
    }
    const staying = new Set([...indexes].flatMap(([name, numbers]) => (going.has(name) ? [] : numbers)).map(idOf));
    await this.#writeSurvivors([...going.keys()], (id) => !unused.has(id) && !staying.has(id));
    for (const [name, numbers] of going) {
      if (await this.#remove("index", name)) indexes.delete(name);
      else keep(numbers);
    }
    return free;
  }

  /** @param survives of packs that no other index names; else each prune that may remove nothing would leave one more index */
  async #writeSurvivors(names: readonly string[], survives: (packId: string) => boolean): Promise<void> {
    const { store, sealer, config } = this.#context;
    const survivors = new Map<string, IndexedPack>();
    for (const name of names) {
      this.#signal.throwIfAborted();
      await readIndex(store, sealer, name, (pack) => {
        if (survives(pack.id)) survivors.set(pack.id, pack);
      });
    }
    for (const part of indexParts([...survivors.values()])) await writeIndex(store, sealer, config.version, part);
  }

  async #removePacks(packs: ReadonlySet<string>): Promise<void> {
    const { stored } = this.#census;
    const limit = pLimit(removalsAtOnce);
    await Promise.all(
      [...packs].map(async (id) =>
        limit(async () => {
          const sizeBytes = stored.get(id);
          if (sizeBytes === undefined || this.#signal.aborted) return;
          await this.#context.held.requireFresh();
          if (!(await this.#remove("data", id))) return;
          stored.delete(id);
          this.#removedPacks += 1;
          this.#removedBytes += sizeBytes;
        }),
      ),
    );
    this.#signal.throwIfAborted();
  }

  /** Their packs are gone, or in use again; a record of packs that the store holds on to stays, so that no capture counts on them again. */
  async #forget(names: readonly string[]): Promise<void> {
    const { records, stored } = this.#census;
    for (const name of names) {
      const left = this.#packsOf([name]).filter((id) => stored.has(id));
      if (left.length > 0 && left.every((id) => this.#unusedOf([name]).has(id))) continue;
      if (await this.#remove("index", name)) records.delete(name);
    }
    for (const [name, record] of records) {
      if (record.kind !== "witness" || record.records.some((found) => records.has(found))) continue;
      if (await this.#remove("index", name)) records.delete(name);
    }
  }

  /** As long as one of its packs is there, or an index still names it, a capture has to know. */
  async #forgetDamaged(): Promise<void> {
    const { records, stored, indexes, packs } = this.#census;
    const named = new Set([...indexes.values()].flat().map((number) => packs[number]?.id ?? ""));
    for (const [name, record] of records) {
      if (record.kind !== "damaged" || record.packs.some((id) => stored.has(id) || named.has(id))) continue;
      if (await this.#remove("index", name)) records.delete(name);
    }
  }

  async #remove(kind: StoreKind, name: string): Promise<boolean> {
    const { store, clock } = this.#context;
    const kept = await letGo(store, kind, name, clock);
    if (kept !== null) this.#refused.push({ kind, name, ...kept });
    return kept === null;
  }

  #result({ waitsFor, waitsUntil }: Pick<Sweep, "waitsFor" | "waitsUntil">): Sweep {
    const isHidden = this.#context.store.retention?.hides?.() === true;
    return {
      removedPacks: this.#removedPacks,
      freedBytes: isHidden ? 0 : this.#removedBytes,
      hiddenBytes: isHidden ? this.#removedBytes : 0,
      recoveredPacks: this.#recoveredPacks,
      waitsFor,
      waitsUntil,
      refused: this.#refused,
    };
  }
}
