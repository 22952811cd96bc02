/**
 * vault prune: lets points expire by the rules of their service, then gives back what nothing uses. What will go is known before anything
 * does; the caller shows it and asks.
 */
import { audited } from "../core/audit/audited.ts";
import { decideRetention, type PointDecision, type RetentionDecision } from "../core/retention/decide-retention.ts";
import { removalsOf, type Removals } from "../core/retention/removals.ts";
import { findService } from "../core/declaration/find-service.ts";
import type { PruneForecast, PruneReport, Pruning, Unreadable, VaultProgress } from "../core/ports/vault.ts";
import type { OpenVault, Workbench } from "../core/ports/workbench.ts";
import type { Declaration, Keep } from "../model/declaration.ts";
import { snapshotIdSchema } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { RunState } from "../model/run.ts";

export type PruneRequest = {
  /** Empty for all. */
  readonly services: readonly string[];
  /** A person has looked at the clock. */
  readonly trustClock: boolean;
  readonly graceMs: number;
};

export type ServiceRetention = RetentionDecision & { readonly service: string; readonly keep: Keep | null };

export type PrunePlan = {
  readonly services: readonly ServiceRetention[];
  /** They are never expired by themselves, and keep all members from being removed. */
  readonly unreadable: readonly Unreadable[];
  readonly expiring: readonly PointDecision[];
  /** Members that no point uses, whose capture or removal was killed long ago. */
  readonly removals: Removals;
  readonly forecast: PruneForecast;
};

export type PruneResult = {
  readonly expired: readonly string[];
  /** Snapshots that the store does not let go of. */
  readonly refused: readonly { readonly id: string; readonly reason: string }[];
  readonly report: PruneReport;
};

export type OpenPrune = {
  readonly plan: PrunePlan;
  readonly carryOut: (signal: AbortSignal, progress: VaultProgress) => Promise<PruneResult>;
  /** Gives the vault free. Nothing was removed unless `carryOut` did. */
  readonly close: () => Promise<void>;
};

/** @throws RefloatError service.unknown, vault.locked, vault.damaged */
export const beginVaultPrune = async (
  bench: Workbench,
  request: PruneRequest,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<OpenPrune> => {
  const declaration = await bench.declaration();
  for (const name of request.services) findService(declaration, name);
  const vault = await bench.vault();
  const { repository, points } = vault;
  const all = await points.list();
  const unreadable = await points.unreadable();
  const services = await decideAll(bench, vault, declaration, all, request);
  const expiring = services.flatMap(({ points: decided }) => decided.filter(({ verdict }) => verdict === "expire"));
  const removals = removalsOf({
    expiring: expiring.map(({ point }) => point),
    points: all,
    unreadable,
    snapshots: await repository.snapshots(),
    now: bench.clock.now().toISOString(),
  });
  const without = [...removals.manifests, ...removals.members];
  const pruning = await repository.beginPrune({ without, graceMs: request.graceMs }, signal, progress);
  return {
    plan: { services, unreadable, expiring, removals, forecast: pruning.forecast },
    carryOut: (runSignal, runProgress) =>
      audited(
        bench.audit,
        { action: "prune", service: null, detail: {} },
        () => carryOut(vault, services, removals, pruning, runSignal, runProgress),
        ({ expired, refused }) => ({ detail: { points: [...expired], refused: refused.length } }),
      ),
    close: pruning.close,
  };
};

const decideAll = async (
  bench: Workbench,
  { repository, holds }: OpenVault,
  declaration: Declaration,
  points: readonly RecoveryPoint[],
  { services, trustClock }: PruneRequest,
): Promise<readonly ServiceRetention[]> => {
  const held = await holds.list();
  const needed = await neededByRuns(bench);
  const names = [...new Set(points.map(({ manifest }) => manifest.service))]
    .filter((name) => services.length === 0 || services.includes(name))
    .sort();
  const decide = (lockedUntil: ReadonlyMap<string, string>): readonly ServiceRetention[] =>
    names.map((service) => {
      const keep = declaration.services[service]?.keep ?? null;
      const decision = decideRetention({
        points: points.filter(({ manifest }) => manifest.service === service),
        keep,
        holds: held,
        lockedUntil,
        needed,
        now: bench.clock.now().toISOString(),
        timeZone: bench.host.timeZone,
        trustClock,
      });
      return { service, keep, ...decision };
    });
  // Only of what would go: a lock of the store keeps a point, and changes nothing for the others.
  const doomed = decide(new Map()).flatMap((service) => service.points.filter(({ verdict }) => verdict === "expire"));
  return decide(
    await storeLocks(
      repository,
      doomed.map(({ point }) => point),
    ),
  );
};

/** Until when the store holds a point: as long as it does not let go of one of its snapshots. */
const storeLocks = async (
  repository: OpenVault["repository"],
  points: readonly RecoveryPoint[],
): Promise<ReadonlyMap<string, string>> => {
  const snapshots = points.map(({ id, manifest }) => ({
    id,
    own: [snapshotIdSchema.parse(id), ...Object.values(manifest.components).map(({ snapshot }) => snapshot)],
  }));
  const ends = await repository.lockEnds(snapshots.flatMap(({ own }) => own));
  return new Map(
    snapshots.flatMap(({ id, own }) => {
      const latest = Math.max(...own.map((snapshot) => ends.get(snapshot)?.getTime() ?? 0));
      return latest === 0 ? [] : [[id, new Date(latest).toISOString()] as const];
    }),
  );
};

/** Runs that may still go on, or be undone: what they restore from must stay. */
const needing: ReadonlySet<RunState> = new Set(["running", "waiting", "interrupted", "needs-operator", "succeeded"]);

const neededByRuns = async (bench: Workbench) => {
  const journal = await bench.journal();
  const needed: { readonly point: string; readonly run: number }[] = [];
  for (const { number, state } of await journal.listRuns()) {
    if (!needing.has(state)) continue;
    const { point } = (await journal.readRun(number)).plan.intent;
    if (point !== null) needed.push({ point: point.id, run: number });
  }
  return needed;
};

const carryOut = async (
  { repository, departures }: OpenVault,
  services: readonly ServiceRetention[],
  { manifests, members }: Removals,
  pruning: Pruning,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<PruneResult> => {
  // Before they go: a point that is gone and in no record was taken by somebody else.
  await departures.record(
    services.flatMap(({ service, keep, points }) =>
      points
        .filter(({ verdict }) => verdict === "expire")
        .map(({ point }) => ({ point: point.id, service, reason: `expired by keep: ${JSON.stringify(keep)}` })),
    ),
  );
  signal.throwIfAborted();
  const kept = await repository.removeSnapshots(manifests);
  // A point that stays needs its members.
  const gone = kept.length === 0 ? await repository.removeSnapshots(members) : [];
  const refused = new Set<string>(kept.map(({ id }) => id));
  return {
    expired: manifests.filter((id) => !refused.has(id)),
    refused: [...kept, ...gone],
    report: await pruning.run(signal, progress),
  };
};
