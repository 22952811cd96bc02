/**
 * vault copy: brings points to a second vault, so that the loss of one place loses nothing. They keep their ids; what they say, what they
 * rest on and their holds go with them. Nothing in the source changes, and nothing in the target but what is added.
 */
import { audited } from "../core/audit/audited.ts";
import { coveredPieces, isHeld } from "../core/logs/log-spans.ts";
import type { CopiedPoint, VaultCopy } from "../core/points/copied-points.ts";
import { declaredLock, lockBeside } from "../core/points/point-locks.ts";
import { newestFirst } from "../core/points/select-point.ts";
import type { RootedPoint } from "../core/points/root-chain.ts";
import type { CopyReceipt, SnapshotCopying } from "../core/ports/vault-copying.ts";
import type { SnapshotInfo, Unreadable, VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { OpenVault, OtherVault, Workbench } from "../core/ports/workbench.ts";
import { findService } from "../core/declaration/find-service.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type CopyRequest = {
  readonly to: OtherVault;
  /** Null for all that the vault has points of. */
  readonly service: string | null;
  /** First letters of ids; empty for all. */
  readonly points: readonly string[];
  readonly dryRun: boolean;
};

/** Told before each point, and with null after the last. */
export type CopyListener = (point: RecoveryPoint | null, done: number, of: number) => void;

/** @throws RefloatError vault.unfit, vault.not-found, vault.wrong-password, vault.no-space, service.unknown, point.unknown */
export const copyVault = async (
  bench: Workbench,
  request: CopyRequest,
  signal: AbortSignal,
  listener: CopyListener,
  progress: VaultProgress,
): Promise<VaultCopy> => {
  const source = await bench.vault();
  const all = await source.points.list();
  const chosen = await choose(bench, all, request);
  const target = await openTarget(bench, request.to);
  const there = await target.points.list();
  refuseSame(source, target);
  refuseForeign(source, target, all, there, new Set(chosen.map(({ manifest }) => manifest.service)));
  const copy = () => carryOver(bench, { source, target, chosen, there }, request, signal, listener, progress);
  if (request.dryRun) return copy();
  const detail = { to: target.repository.location, vault: target.repository.id };
  return audited(bench.audit, { action: "copy", service: request.service, detail }, copy, ({ points }) => ({
    detail: {
      copied: points.filter(({ state }) => state === "copied").length,
      damaged: points.filter(({ state }) => state === "damaged").length,
    },
  }));
};

const ways: Readonly<Record<string, { readonly hint: string; readonly flags: string }>> = {
  "vault.not-found": { hint: "check the address, or make a vault there with --init", flags: " --init" },
  "vault.exists": { hint: "--init is for the first time only", flags: "" },
  "vault.wrong-password": {
    hint: "the other vault has a password of its own: name its file with --to-password-file, or set REFLOAT_TO_PASSWORD",
    flags: " --to-password-file FILE",
  },
};

/** The usual hints are about the declared vault. */
const openTarget = async (bench: Workbench, to: OtherVault): Promise<OpenVault> => {
  try {
    return await bench.otherVault(to);
  } catch (error) {
    const way = error instanceof RefloatError ? ways[error.code] : undefined;
    if (way === undefined || !(error instanceof RefloatError)) throw error;
    throw new RefloatError(error.code, error.message, {
      cause: error,
      context: error.context,
      state: "nothing was changed",
      hint: way.hint,
      nextCommand: `refloat vault copy --to ${to.url}${way.flags}`,
    });
  }
};

/** Oldest first, so that of each point those before it are there. */
const choose = async (
  bench: Workbench,
  all: readonly RecoveryPoint[],
  { service, points }: CopyRequest,
): Promise<readonly RecoveryPoint[]> => {
  const ofService = all.filter(({ manifest }) => service === null || manifest.service === service);
  // A service that is no longer declared may still have points; one that has none may be misspelt.
  if (service !== null && ofService.length === 0) findService(await bench.declaration(), service);
  if (points.length === 0) return newestFirst(ofService).toReversed();
  const { points: store } = await bench.vault();
  const wanted = await Promise.all(points.map(async (prefix) => store.read(prefix)));
  const other = wanted.find(({ manifest }) => service !== null && manifest.service !== service);
  if (other !== undefined) {
    throw new RefloatError("usage", `${shortId(other.id)} is a point of ${other.manifest.service}, not of ${service}`, {
      state: "nothing was copied",
      hint: "name points, or a service",
    });
  }
  const ids = new Set(wanted.map(({ id }) => id));
  return newestFirst(ofService.filter(({ id }) => ids.has(id))).toReversed();
};

const refuseSame = ({ repository: source }: OpenVault, { repository: target }: OpenVault): void => {
  if (source.id !== target.id) return;
  throw new RefloatError(
    "vault.unfit",
    `${target.location} is the vault itself, or was copied from it file by file: both have the id ${source.id.slice(0, 8)}`,
    {
      state: "nothing was changed",
      hint: "a copy is a vault of its own, with its own key; --init makes one where there is none",
      nextCommand: "refloat vault copy --help",
    },
  );
};

/** Two histories under one name would look like one, and retention would let the one expire by the other. */
const refuseForeign = (
  { repository: source }: OpenVault,
  { repository: target }: OpenVault,
  all: readonly RecoveryPoint[],
  there: readonly RecoveryPoint[],
  services: ReadonlySet<string>,
): void => {
  const ids = new Set<string>(all.map(({ id }) => id));
  const makers = new Set([source.id, ...all.flatMap(({ madeIn }) => madeIn ?? [])]);
  const foreign = there.find(
    ({ id, manifest, madeIn }) => services.has(manifest.service) && !ids.has(id) && !makers.has(madeIn ?? target.id),
  );
  if (foreign === undefined) return;
  const { service, consistentAt } = foreign.manifest;
  throw new RefloatError(
    "vault.unfit",
    `the vault at ${target.location} has points of another ${service}: ${shortId(foreign.id)} of ${consistentAt} ` +
      (foreign.madeIn === undefined ? "was captured into it" : `comes from the vault ${foreign.madeIn.slice(0, 8)}`),
    {
      context: { point: foreign.id, madeIn: foreign.madeIn ?? target.id },
      state: "nothing was changed",
      hint: `copy to a vault of its own; if ${service} was captured there while this vault was away, copy from there to here first`,
    },
  );
};

type Copying = {
  readonly source: OpenVault;
  readonly target: OpenVault;
  readonly chosen: readonly RecoveryPoint[];
  readonly there: readonly RecoveryPoint[];
};

const carryOver = async (
  bench: Workbench,
  { source, target, chosen, there }: Copying,
  { dryRun, service, points: named }: CopyRequest,
  signal: AbortSignal,
  listener: CopyListener,
  progress: VaultProgress,
): Promise<VaultCopy> => {
  const unreadable = [...(await source.points.unreadable())];
  const roots = new Map((await source.points.chain()).points.map((rooted) => [rooted.point, rooted]));
  const snapshots = new Map<string, SnapshotInfo>((await source.repository.snapshots()).map((info) => [info.id, info]));
  const present = new Set<string>([...there, ...(await damagedThere(target))].map(({ id }) => id));
  /** Their members are fetched again. */
  const incomplete = new Set<string>(there.filter(({ missing }) => missing.length > 0).map(({ id }) => id));
  const { locks } = await target.repository.lockSupport();
  const copies = await source.repository.copies();
  const points: CopiedPoint[] = [];
  let escrows = 0;
  let logs = 0;
  let [marks, incidents] = [0, 0];
  try {
    const copying = await target.repository.beginCopy(copies, { dryRun });
    try {
      for (const point of chosen) {
        signal.throwIfAborted();
        listener(point, points.length, chosen.length);
        const facts = factsOf(point, bench.clock.now());
        const root = roots.get(point.id);
        const damage = damageOf(point, root);
        if (present.has(point.id) && !incomplete.has(point.id)) points.push({ ...facts, state: "there" });
        else if (damage !== null || root === undefined) points.push({ ...facts, state: "damaged", reason: damage });
        else {
          const vault = source.repository.id;
          const foreign = { point, root, vault, snapshots, present, now: bench.clock.now() };
          const received = await unlessDamaged(target.points.receive(foreign, copying, signal, progress));
          if (received === gone) points.push({ ...facts, state: "gone" });
          else if (typeof received === "string") points.push({ ...facts, state: "damaged", reason: received });
          else {
            const { blobs, newBytes } = received;
            present.add(point.id);
            points.push({ ...facts, state: dryRun ? "missing" : "copied", blobs, newBytes });
          }
        }
      }
      listener(null, points.length, chosen.length);
      if (!dryRun) {
        const receiving = { target, copying, snapshots };
        const moments = await carryRecords(bench, "marks", source, receiving, chosen, signal);
        const wrong = await carryRecords(bench, "incidents", source, receiving, chosen, signal);
        [marks, incidents] = [moments.copied, wrong.copied];
        unreadable.push(...moments.damaged, ...wrong.damaged);
      }
      if (named.length === 0) {
        const carried = await carryLogs(bench, source, { target, copying, snapshots }, chosen, signal, progress);
        logs = carried.copied;
        unreadable.push(...carried.damaged);
      }
      // They serve all services: whoever takes away some points does not take the secrets of the others along.
      if (service === null && named.length === 0) {
        const carried = await carryEscrows(bench, source, { target, copying, snapshots }, signal, progress);
        escrows = carried.copied;
        unreadable.push(...carried.damaged);
      }
    } finally {
      copying.close();
    }
    const holds = dryRun ? 0 : await carryHolds(source, target, chosen, present);
    const { id: vault, location } = target.repository;
    const from = { location: source.repository.location, vault: source.repository.id };
    return { dryRun, from, to: { location, vault, locks }, points, holds, marks, incidents, logs, escrows, unreadable };
  } finally {
    copies.release();
  }
};

/** A point whose manifest is damaged in the target is there all the same: what is wrong with it is a repair's to mend. */
const damagedThere = async ({ points }: OpenVault): Promise<readonly Unreadable[]> => points.unreadable();

const factsOf = (point: RecoveryPoint, now: Date): CopiedPoint => {
  const { id, manifest } = point;
  const lock = declaredLock(manifest);
  return {
    point: id,
    service: manifest.service,
    takenAt: manifest.consistentAt,
    state: "missing",
    reason: null,
    blobs: 0,
    newBytes: 0,
    lockUntil: lock !== null && lock.until > now ? lock.until.toISOString() : null,
  };
};

const damageOf = ({ missing }: RecoveryPoint, root: RootedPoint | undefined): string | null => {
  if (missing.length > 0) return `the snapshot of ${missing.join(", ")} is gone`;
  if (root === undefined) return "it went away while it was to be copied";
  return root.verdict.status === "broken" ? root.verdict.reason : null;
};

const gone = Symbol("expired or removed since the copy began");

/** One rotten point must not keep the others from being copied, nor one that expires meanwhile. */
const unlessDamaged = async (receiving: Promise<CopyReceipt>): Promise<CopyReceipt | string | typeof gone> => {
  try {
    return await receiving;
  } catch (error) {
    if (error instanceof RefloatError && error.code === "point.unknown") return gone;
    if (error instanceof RefloatError && ["vault.damaged", "point.damaged", "path.hostile"].includes(error.code))
      return error.message;
    throw error;
  }
};

type Receiving = {
  readonly target: OpenVault;
  readonly copying: SnapshotCopying;
  readonly snapshots: ReadonlyMap<string, SnapshotInfo>;
};

type Carried = { readonly copied: number; readonly damaged: readonly Unreadable[] };

/** Under their own keys as before, and locked like what is sealed now. */
const carryEscrows = async (
  bench: Workbench,
  source: OpenVault,
  { target, copying, snapshots }: Receiving,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<Carried> => {
  const there = new Set<string>((await target.escrows.list()).map(({ id }) => id));
  const bundles = (await source.escrows.list()).filter(({ id }) => !there.has(id));
  if (bundles.length === 0) return { copied: 0, damaged: [] };
  const services = Object.values((await bench.declaration()).services);
  const lock = lockBeside(
    services.map((declared) => declared.lock),
    bench.clock.now(),
  );
  const damaged: Unreadable[] = [];
  for (const { id } of bundles.toReversed()) {
    signal.throwIfAborted();
    const tags = snapshots.get(id)?.tags ?? [];
    const received = await unlessDamaged(copying.add([{ id, tags }], { lock }, signal, progress));
    if (typeof received === "string") damaged.push({ id, reason: received });
  }
  return { copied: bundles.length - damaged.length, damaged };
};

/** With their ids and times, and locked like what is recorded now; what was removed or closed here is so there too. */
const carryRecords = async (
  bench: Workbench,
  kind: "marks" | "incidents",
  source: OpenVault,
  { target, copying, snapshots }: Receiving,
  chosen: readonly RecoveryPoint[],
  signal: AbortSignal,
): Promise<Carried> => {
  let copied = 0;
  const damaged: Unreadable[] = [];
  for (const service of new Set(chosen.map(({ manifest }) => manifest.service))) {
    const there = new Set<string>(await target[kind].records(service));
    const records = (await source[kind].records(service)).filter((id) => !there.has(id));
    if (records.length === 0) continue;
    const newest = chosen.findLast(({ manifest }) => manifest.service === service);
    const lock = lockBeside([newest?.manifest.declaration.lock], bench.clock.now());
    const wanted = records.map((id) => ({ id, tags: snapshots.get(id)?.tags ?? [] }));
    const received = await unlessDamaged(copying.add(wanted, { lock }, signal));
    if (typeof received === "object") copied += received.snapshots;
    else damaged.push({ id: records[0] ?? "", reason: typeof received === "string" ? received : "it went meanwhile" });
  }
  return { copied, damaged };
};

/**
 * Pieces that the copy has not all of, in whatever pieces it has them: those that were joined here since the last copy are not carried again. What
 * was joined is locked there like what is joined now.
 */
const carryLogs = async (
  bench: Workbench,
  source: OpenVault,
  { target, copying, snapshots }: Receiving,
  chosen: readonly RecoveryPoint[],
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<Carried> => {
  let copied = 0;
  const damaged: Unreadable[] = [];
  for (const service of new Set(chosen.map(({ manifest }) => manifest.service))) {
    const held = await target.logs.spans(service);
    const newest = chosen.findLast(({ manifest }) => manifest.service === service);
    const lock = lockBeside([newest?.manifest.declaration.lock], bench.clock.now());
    const missing = (await source.logs.pieces(service)).filter((piece) => !isHeld(piece, held));
    const joined = new Set(coveredPieces(missing));
    for (const piece of missing) {
      if (joined.has(piece)) continue;
      signal.throwIfAborted();
      const wanted = [{ id: piece.id, tags: snapshots.get(piece.id)?.tags ?? [] }];
      const options = { lock: piece.joined > 0 ? lock : null };
      const received = await unlessDamaged(copying.add(wanted, options, signal, progress));
      if (typeof received === "object") copied += received.snapshots;
      // Joined and forgotten meanwhile: what it was joined to comes with the next copy.
      else if (typeof received === "string") damaged.push({ id: piece.id, reason: received });
    }
  }
  return { copied, damaged };
};

/** What a person has said of a point holds in the copy too; what was released here is not released there. */
const carryHolds = async (
  source: OpenVault,
  target: OpenVault,
  chosen: readonly RecoveryPoint[],
  present: ReadonlySet<string>,
): Promise<number> => {
  const held = await source.holds.list();
  if (held.length === 0) return 0;
  const key = ({ point, reason, by }: (typeof held)[number]): string => JSON.stringify([point, reason, by]);
  const there = new Set((await target.holds.list()).map(key));
  const byId = new Map(chosen.map((point) => [point.id, point]));
  let carried = 0;
  for (const hold of held) {
    const point = byId.get(hold.point);
    if (point === undefined || !present.has(point.id) || there.has(key(hold))) continue;
    await target.holds.hold(point, hold.reason, hold.by);
    carried += 1;
  }
  return carried;
};
