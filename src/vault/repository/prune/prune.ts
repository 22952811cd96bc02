/**
 * Prune: gives back what no snapshot uses, in two phases and beside captures. The first only adds: it copies what is used out of packs that
 * are little used, and writes down which packs are unused (from then on no capture of ours counts on them) and who was at work meanwhile.
 * The second, once those have ended and a grace period has passed, looks again and takes away. docs/design/prune.md has the proof.
 */
import type { PruneForecast, PruneReport, Pruning } from "../../../core/ports/vault-pruning.ts";
import type { VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import { writeUnusedRecord } from "../format/unused-record.ts";
import { removeDead } from "../locks/dead-locks.ts";
import { type LoneLock, holdLoneLock } from "../locks/lone-lock.ts";
import { readSessions } from "../locks/sessions.ts";
import { type RepositoryContext, requireWritable } from "../repository-context.ts";
import { Census } from "./census.ts";
import { type PackChoices, choosePacksOf } from "./pack-choices.ts";
import { repack } from "./repack.ts";
import { Sweeper } from "./sweep.ts";

/** Ids in one record: some megabytes. */
const packsPerRecord = 50_000;

export type PruneOptions = { readonly without: readonly string[]; readonly graceMs: number };

class RepositoryPruning implements Pruning {
  readonly forecast: PruneForecast;
  readonly #context: RepositoryContext;
  readonly #lone: LoneLock;
  readonly #census: Census;
  readonly #graceMs: number;
  readonly #sweptTemporaries: number;

  constructor(
    context: RepositoryContext,
    lone: LoneLock,
    { census, choices }: { readonly census: Census; readonly choices: PackChoices },
    graceMs: number,
    sweptTemporaries: number,
  ) {
    this.#context = context;
    this.#lone = lone;
    this.#census = census;
    this.#graceMs = graceMs;
    this.#sweptTemporaries = sweptTemporaries;
    const { choice, marked, orphans } = choices;
    const sum = (ids: readonly string[]): number => ids.reduce((total, id) => total + (census.stored.get(id) ?? 0), 0);
    this.forecast = {
      usedBytes: choice.usedBytes,
      unusedBytes: sum(choice.unused.map(({ id }) => id)) + sum(orphans) + sum(marked),
      repackBytes: choice.repack.reduce((total, pack) => total + pack.usedBytes, 0),
      repackFreesBytes: choice.repack.reduce((total, pack) => total + pack.bytes - pack.usedBytes, 0),
      toleratedBytes: choice.toleratedBytes,
    };
  }

  readonly run = async (signal: AbortSignal, progress?: VaultProgress): Promise<PruneReport> => {
    const census = this.#census;
    await this.#lone.held.requireFresh();
    // The lock of what this process did before is not waited for.
    await this.#context.lock.letGo();
    // What was to go and did not is used after all; so is what was committed meanwhile.
    await census.walkSnapshots(new Set());
    const { choice, orphans } = await choosePacksOf(census, this.#context);
    const copiedBytes =
      choice.repack.length === 0
        ? 0
        : await repack(this.#context, census, choice.repack, signal, (bytes) => progress?.({ bytes, items: 0 }));
    await this.#lone.held.requireFresh();
    const found = [...choice.unused.map(({ id }) => id), ...choice.repack.map(({ id }) => id), ...orphans];
    await this.#writeDown(found);
    // What was copied counts where it is now.
    const fresh = choice.repack.length === 0 ? census : await this.#countAgain(signal);
    const { store, sealer, config, clock } = this.#context;
    const context = { store, sealer, config, clock, lockOptions: this.#lone.lock.options, held: this.#lone.held };
    const sweep = await new Sweeper(context, fresh, this.#graceMs, signal).run();
    const waiting = [...fresh.records.values()].flatMap((record) => (record.kind === "unused" ? record.packs : []));
    return {
      ...sweep,
      foundPacks: found.length,
      copiedBytes,
      waitingBytes: waiting.reduce((total, id) => total + (fresh.stored.get(id) ?? 0), 0),
      sweptTemporaries: this.#sweptTemporaries,
    };
  };

  readonly close = async (): Promise<void> => this.#lone.release();

  /** The records, then who is at work: whoever begins later reads them. */
  async #writeDown(found: readonly string[]): Promise<void> {
    const { store, sealer, config, clock } = this.#context;
    const { records } = this.#census;
    for (let at = 0; at < found.length; at += packsPerRecord) {
      const record = { kind: "unused" as const, packs: found.slice(at, at + packsPerRecord) };
      records.set(await writeUnusedRecord(store, sealer, config.version, record), record);
    }
    const witnessed = new Set(
      [...records.values()].flatMap((record) => (record.kind === "witness" ? record.records : [])),
    );
    // Also those of a prune that was killed before it looked.
    const open = [...records].flatMap(([name, { kind }]) => (kind === "unused" && !witnessed.has(name) ? [name] : []));
    if (open.length === 0) return;
    const sessions = (await readSessions(this.#lone.lock.options)).map(({ key }) => key);
    const witness = {
      kind: "witness" as const,
      records: open,
      at: clock.now().toISOString(),
      sessions: sessions.filter((key) => key !== this.#lone.held.session()),
    };
    records.set(await writeUnusedRecord(store, sealer, config.version, witness), witness);
  }

  async #countAgain(signal: AbortSignal): Promise<Census> {
    const census = new Census(this.#context, signal, () => undefined);
    await census.count(new Set());
    return census;
  }
}

/**
 * Counts; `run` does it. Between the two the caller removes the snapshots that it has named.
 * @throws RefloatError vault.locked, vault.damaged, vault.unsupported
 */
export const beginPrune = async (
  context: RepositoryContext,
  { without, graceMs }: PruneOptions,
  signal: AbortSignal,
  progress?: VaultProgress,
): Promise<Pruning> => {
  requireWritable(context);
  const lone = await holdLoneLock(context.lock);
  try {
    const swept = await context.store.sweep();
    await removeDead(lone.lock.options);
    const census = new Census(context, signal, (items) => progress?.({ bytes: 0, items }));
    await census.count(new Set(without));
    const choices = await choosePacksOf(census, context);
    return new RepositoryPruning(context, lone, { census, choices }, graceMs, swept);
  } catch (error) {
    await lone.release();
    throw error;
  }
};
