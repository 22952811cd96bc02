/**
 * Locks what snapshots rest on, and asks the store what is locked. Deduplication lets a new snapshot rest on old packs, so every file is
 * locked anew with each that needs it; what can be locked in no store, such as a folder, is left to the reader of the report.
 */
import pLimit from "p-limit";
import type { LockReport, LockSupport, VaultLock } from "../../../core/ports/vault-locks.ts";
import type { VaultProgress } from "../../../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../../../model/identifiers.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { StoredSnapshot } from "../format/snapshot-file.ts";
import { eachOf } from "../../../platform/each-of.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { type IndexedPack, readIndex } from "../format/index-file.ts";
import { type Store, StoreFileMissing, type StoreKind, type StoreRetention } from "../stores/store.ts";
import { chooseIndexes } from "./choose-indexes.ts";
import { type NeededFile, configAndKey, configAndKeys, packsOfTrees } from "./needed-files.ts";
import { type LockAnswer, safestIndexes, safestOf } from "./safest-indexes.ts";

/** More than the store lets through at once, so that it never waits for us. */
const requestsAtOnce = 32;

/** A prune or a new password takes an index or a key away between listing and locking; each time is spoilt by another. */
const mostAttempts = 10;
const changingKinds: ReadonlySet<StoreKind> = new Set(["index", "keys"]);

type LockContext = Pick<
  RepositoryContext,
  "openedBy" | "store" | "documents" | "sealer" | "config" | "blobs" | "table" | "index"
>;

export const lockSupport = async ({ store }: Pick<RepositoryContext, "store">): Promise<LockSupport> =>
  store.retention === undefined
    ? { locks: false, reason: "the store keeps no locks: whoever may write to it can also delete", keptBy: "nobody" }
    : store.retention.support();

export type LockOptions = {
  readonly lock: VaultLock;
  /** Roots of all trees that are to be safe. */
  readonly trees: readonly string[];
  /** Snapshot files that are written already. */
  readonly snapshots: readonly string[];
};

/**
 * @returns what writes the last file with the same lock; undefined where nothing can be locked
 * @throws RefloatError vault.denied without the right to lock, vault.damaged if a file is gone or was replaced
 */
const lockFiles = async (
  context: LockContext,
  { lock, trees, snapshots }: LockOptions,
  signal: AbortSignal,
): Promise<Pick<StoreRetention, "writeLocked"> | undefined> => {
  const { retention } = context.store;
  if (retention === undefined || !(await retention.support()).locks) return undefined;
  await retention.resume?.();
  const locked = new Set<string>();
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { blobs, table } = context;
      // Of a blob that lies in two packs either may be the one that is read later; none of those that are to go.
      const needed = await packsOfTrees({ blobs, packsOf: (id, type) => table.packsOf(id, type) }, trees, signal);
      const packs = new Set([...needed.values()].flat());
      const files: readonly NeededFile[] = [
        ...[...packs].map((name) => ({ kind: "data", name }) as const),
        ...snapshots.map((name) => ({ kind: "snapshots", name }) as const),
        ...(await configAndKeys(context)),
        ...(await indexesOf(context, packs, retention, lock)),
      ];
      await eachOf(files, pLimit(requestsAtOnce), signal, async ({ kind, name, sha256 }) => {
        const file = `${kind}/${name}`;
        if (locked.has(file)) return;
        try {
          await retention.lock(kind, name, lock, sha256);
        } catch (error) {
          throw isGoneMeanwhile(error) ? error : lockRefused(error);
        }
        locked.add(file);
      });
      return retention;
    } catch (error) {
      if (!isGoneMeanwhile(error)) throw error;
      if (attempt === mostAttempts) throw lockRefused(error);
      await context.index.loadReadable(() => undefined);
    }
  }
};

const isGoneMeanwhile = (error: unknown): boolean => error instanceof StoreFileMissing && changingKinds.has(error.kind);

/** Indexes that name the packs. What only indexes name that hold much else besides is named anew, or nothing of that could ever go. */
const indexesOf = async (
  { index, documents, sealer }: LockContext,
  packs: ReadonlySet<string>,
  retention: StoreRetention,
  lock: VaultLock,
): Promise<readonly NeededFile[]> => {
  const choice = chooseIndexes(packs, index.named, index.passedOver);
  const again: IndexedPack[] = [];
  for (const [name, wanted] of choice.rewrite) {
    await readIndex(documents, sealer, name, (pack) => {
      if (wanted.has(pack.id)) again.push(pack);
    });
  }
  const target = {
    write: async (kind: StoreKind, name: string, content: Uint8Array) =>
      retention.writeLocked(kind, name, content, lock),
  };
  await index.writeAgain(target, again);
  return [...choice.lock].map((name) => ({ kind: "index", name }) as const);
};

/** @returns where a snapshot file is written to, with the lock from its beginning; null where nothing can be locked */
export const lockedTarget = async (
  context: LockContext,
  options: LockOptions,
  signal: AbortSignal,
): Promise<Pick<Store, "write"> | null> => {
  const retention = await lockFiles(context, options, signal);
  return retention === undefined
    ? null
    : { write: async (kind, name, content) => retention.writeLocked(kind, name, content, options.lock) };
};

/** By id, of the snapshots' own files alone: that a store holds one of them is enough for what it stands for to stay. */
export const lockEnds = async (
  { store: { retention } }: Pick<RepositoryContext, "store">,
  files: ReadonlyMap<SnapshotId, readonly string[]>,
): Promise<ReadonlyMap<SnapshotId, Date>> => {
  if (retention === undefined || files.size === 0 || (await retention.support()).keptBy === "nobody") return new Map();
  const limit = pLimit(requestsAtOnce);
  const ends = await Promise.all(
    [...files].flatMap(([id, names]) =>
      names.map((name) =>
        limit(async () => {
          const lock = await lockOrMissing(retention, { kind: "snapshots", name });
          return typeof lock === "string" ? [] : [[id, lock.until] as const];
        }),
      ),
    ),
  );
  // Of two files of one snapshot the one that is held longer.
  return new Map(ends.flat().sort(([, a], [, b]) => a.getTime() - b.getTime()));
};

/** One point: its snapshots. */
export type LockQuestion = { readonly id: string; readonly snapshots: readonly StoredSnapshot[] };

/** Asks the store for the lock of every file, once for all that share it. @throws RefloatError vault.* */
export const reportLocks = async (
  context: LockContext,
  questions: readonly LockQuestion[],
  signal: AbortSignal,
  progress: VaultProgress | undefined,
): Promise<readonly LockReport[]> => {
  const { retention } = context.store;
  if (retention === undefined || (await retention.support()).keptBy === "nobody") {
    return questions.map(({ id }) => ({
      id,
      files: 0,
      unlocked: 0,
      missing: 0,
      until: null,
      mode: null,
      weakest: null,
    }));
  }
  const asked = new Map<string, Promise<LockAnswer>>();
  const limit = pLimit(requestsAtOnce);
  const ask = async (file: NeededFile): Promise<LockAnswer> => {
    const key = `${file.kind}/${file.name}`;
    const known = asked.get(key);
    if (known !== undefined) return known;
    const answer = limit(async () => {
      signal.throwIfAborted();
      const lock = await answerOf(retention, file, packBytes.get(file.name) ?? 1);
      progress?.({ bytes: 0, items: 1 });
      return lock;
    });
    asked.set(key, answer);
    return answer;
  };
  /** A pack is at least as long as the blobs of it that are needed. */
  const packBytes = new Map<string, number>();
  let common = await configAndKey(context);
  const look = async ({ id, snapshots }: LockQuestion): Promise<Looked> => {
    const indexesByPack = context.index.indexesByPack();
    let broken = 0;
    const { blobs, table } = context;
    // What a prune has copied out of a locked pack lies in both, and the locked one is enough.
    const places = await packsOfTrees(
      {
        blobs,
        packsOf: (blob, type) =>
          table.locate(blob, type).map(({ packId, offset, length }) => {
            packBytes.set(packId, Math.max(packBytes.get(packId) ?? 0, offset + length));
            return packId;
          }),
      },
      snapshots.map(({ tree }) => tree),
      signal,
      () => (broken += 1),
    );
    const packAnswers = await Promise.all(
      [...new Set([...places.values()].flat())].map(async (name) => [name, await ask({ kind: "data", name })] as const),
    );
    const { chosen: packs } = safestOf(places.keys(), places, new Map(packAnswers));
    const naming = new Set([...packs].flatMap((pack) => indexesByPack.get(pack) ?? []));
    const answers = await Promise.all(
      [...naming].map(async (name) => [name, await ask({ kind: "index", name })] as const),
    );
    const { indexes, unnamed } = safestIndexes(packs, indexesByPack, new Map(answers));
    broken += unnamed.length;
    const files: readonly NeededFile[] = [
      ...[...packs].map((name) => ({ kind: "data", name }) as const),
      ...snapshots.map((snapshot) => ({ kind: "snapshots", name: snapshot.file }) as const),
      ...[...indexes].map((name) => ({ kind: "index", name }) as const),
      ...common,
    ];
    const locks = await Promise.all(files.map(async (file) => ({ file, lock: await ask(file) })));
    const report = summarise(id, locks);
    const gone = locks.filter((answer) => answer.lock === "missing" && changingKinds.has(answer.file.kind));
    return {
      // What cannot be followed to its packs may rest on anything.
      report: broken > 0 && report.missing === 0 ? { ...report, missing: broken, until: null, mode: null } : report,
      goneMeanwhile: gone.map(({ file }) => `${file.kind}/${file.name}`),
    };
  };
  const reports: LockReport[] = [];
  for (const question of questions) {
    let looked = await look(question);
    for (let attempt = 1; looked.goneMeanwhile.length > 0 && attempt < mostAttempts; attempt += 1) {
      for (const file of looked.goneMeanwhile) asked.delete(file);
      await context.index.loadReadable(() => undefined);
      common = await configAndKey(context);
      looked = await look(question);
    }
    reports.push(looked.report);
  }
  return reports;
};

/** @property goneMeanwhile indexes and keys that were listed, and not there when they were asked for */
type Looked = { readonly report: LockReport; readonly goneMeanwhile: readonly string[] };

const answerOf = async (
  retention: StoreRetention,
  { kind, name, sha256 }: NeededFile,
  atLeastBytes: number,
): Promise<LockAnswer> => {
  try {
    return (await retention.lockOfContent(kind, name, atLeastBytes, sha256)) ?? "none";
  } catch (error) {
    if (error instanceof StoreFileMissing) return "missing";
    if (error instanceof RefloatError && error.code === "vault.damaged") return "replaced";
    throw error;
  }
};

const lockOrMissing = async (retention: StoreRetention, { kind, name }: NeededFile): Promise<LockAnswer> => {
  try {
    return (await retention.lockOf(kind, name)) ?? "none";
  } catch (error) {
    if (error instanceof StoreFileMissing) return "missing";
    throw error;
  }
};

type Answered = { readonly file: NeededFile; readonly lock: LockAnswer };

/** As safe as its least safe file. */
const summarise = (id: string, answers: readonly Answered[]): LockReport => {
  const missing = answers.filter(({ lock }) => lock === "missing" || lock === "replaced");
  const unlocked = answers.filter(({ lock }) => lock === "none");
  const locked = answers.flatMap(({ file, lock }) => (typeof lock === "string" ? [] : [{ file, lock }]));
  const shortest = locked.reduce<(typeof locked)[number] | undefined>(
    (least, one) => (least === undefined || one.lock.until < least.lock.until ? one : least),
    undefined,
  );
  const weakest = missing[0]?.file ?? unlocked[0]?.file ?? shortest?.file;
  const safe = missing.length === 0 && unlocked.length === 0 && shortest !== undefined;
  return {
    id,
    files: answers.length,
    unlocked: unlocked.length,
    missing: missing.length,
    until: safe ? shortest.lock.until.toISOString() : null,
    mode: safe ? (locked.every(({ lock }) => lock.mode === "compliance") ? "compliance" : "governance") : null,
    weakest: weakest === undefined ? null : `${weakest.kind}/${weakest.name}`.replace(/\/$/, ""),
  };
};

/** @returns what a refusal to lock leaves, and what may be done */
const lockRefused = (error: unknown): unknown =>
  error instanceof RefloatError
    ? new RefloatError(error.code, error.message, {
        cause: error,
        context: error.context,
        state:
          "no point was made: what it rests on could not be locked; what was captured stays in the vault, without a point",
        hint:
          error.hint ??
          "the credentials need the right to lock (s3:PutObjectRetention), or leave lock: out of the file",
      })
    : error;
