/**
 * vault prune: lets points expire by the rules of their service, then gives back what nothing uses. What will go is known before anything
 * does; the caller shows it and asks.
 */
import { audited } from "../core/audit/audited.ts";
import { decideRetention, type PointDecision, type RetentionDecision } from "../core/retention/decide-retention.ts";
import { type NeededLog, pitrMs, windowBase } from "../core/retention/log-lifetimes.ts";
import { removalsOf, type Removals } from "../core/retention/removals.ts";
import { type ExpiringRunCopy, expiringRunCopies } from "../core/retention/run-copy-lifetimes.ts";
import { type LogRetention, decideVaultLogs, goingLogs } from "../core/retention/vault-logs.ts";
import { findService } from "../core/declaration/find-service.ts";
import { openIncident } from "../core/points/open-incident.ts";
import type { PruneForecast, PruneReport, Pruning } from "../core/ports/vault-pruning.ts";
import type { Unreadable, VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { OpenVault, Workbench } from "../core/ports/workbench.ts";
import type { Declaration, Keep } from "../model/declaration.ts";
import { type SnapshotId, snapshotIdSchema } from "../model/identifiers.ts";
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
  readonly runCopies: readonly RunCopyDecision[];
  /** Pieces of logs, and why each stays. */
  readonly logs: readonly LogRetention[];
  readonly forecast: PruneForecast;
};

/** A copy of a run that is old enough to go. */
export type RunCopyDecision = ExpiringRunCopy & {
  /** It stays: until then the store holds it. */
  readonly lockedUntil: string | null;
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
  const decided = await decide(bench, vault, declaration, request, null);
  const { manifests, members } = decided.removals;
  const without = [...manifests, ...members, ...goingCopies(decided), ...goingLogs(decided.logs)];
  const pruning = await vault.repository.beginPrune({ without, graceMs: request.graceMs }, signal, progress);
  return {
    plan: { ...decided, forecast: pruning.forecast },
    carryOut: (runSignal, runProgress) =>
      audited(
        bench.audit,
        { action: "prune", service: null, detail: {} },
        // A hold, an incident, a run or a point may have come while the plan was looked at.
        async () =>
          carryOut(vault, await decide(bench, vault, declaration, request, decided), pruning, runSignal, runProgress),
        ({ expired, refused }) => ({ detail: { points: [...expired], refused: refused.length } }),
      ),
    close: pruning.close,
  };
};

type Decided = Omit<PrunePlan, "forecast">;

/** @param before what a person has seen: nothing else goes */
const decide = async (
  bench: Workbench,
  vault: OpenVault,
  declaration: Declaration,
  request: PruneRequest,
  before: Decided | null,
): Promise<Decided> => {
  const { repository, points } = vault;
  // In this order: whoever committed a member that is listed is at work still, or has made its point.
  const snapshots = await repository.snapshots();
  const isCapturedInto = await repository.isCapturedInto();
  const all = await points.list();
  const unreadable = await points.unreadable();
  const services = await decideAll(bench, vault, declaration, all, request);
  const shown = before === null ? null : new Set<string>(before.expiring.map(({ point }) => point.id));
  const expiring = services
    .flatMap((service) => service.points.filter(({ verdict }) => verdict === "expire"))
    .filter(({ point }) => shown?.has(point.id) !== false);
  const { manifests, members } = removalsOf({
    expiring: expiring.map(({ point }) => point),
    points: all,
    unreadable,
    snapshots,
    isCapturedInto,
    now: bench.clock.now().toISOString(),
  });
  const shownCopies = before === null ? null : new Set<string>(goingCopies(before));
  const runCopies = (await decideRunCopies(bench, vault, services, request)).filter(
    ({ copy }) => shownCopies?.has(copy.id) !== false,
  );
  const known = before === null ? null : new Set<string>(before.removals.members);
  const removals = { manifests, members: members.filter((id) => known?.has(id) !== false) };
  const shownLogs = before === null ? null : new Set<string>(goingLogs(before.logs));
  const logs = await decideVaultLogs({
    vault,
    registry: bench.registry,
    declaration,
    services: request.services,
    retentions: services,
    expiring: new Set(expiring.map(({ point }) => point.id)),
    unreadable: unreadable.length,
    incidents: await vault.incidents.list(),
    needed: await logsNeededByRuns(bench),
    now: bench.clock.now(),
  });
  return {
    services,
    unreadable,
    expiring,
    removals,
    runCopies,
    logs: logs.filter(({ verdict, piece }) => verdict === "keep" || shownLogs?.has(piece.id) !== false),
  };
};

const goingCopies = ({ runCopies }: Pick<Decided, "runCopies">): readonly SnapshotId[] =>
  runCopies.filter(({ lockedUntil }) => lockedUntil === null).map(({ copy }) => copy.id);

/** None while the clock is in doubt for any service: all of them are judged by its age alone. */
const decideRunCopies = async (
  bench: Workbench,
  { repository, runCopies }: OpenVault,
  retentions: readonly ServiceRetention[],
  { services }: PruneRequest,
): Promise<readonly RunCopyDecision[]> => {
  if (retentions.some(({ doubt }) => doubt !== null)) return [];
  const old = expiringRunCopies(await runCopies.all(), bench.clock.now().toISOString()).filter(
    ({ copy }) => services.length === 0 || services.includes(copy.service),
  );
  const ends = await repository.lockEnds(old.map(({ copy }) => copy.id));
  const now = bench.clock.now();
  return old.map((expiring) => {
    const end = ends.get(expiring.copy.id);
    return { ...expiring, lockedUntil: end === undefined || end <= now ? null : end.toISOString() };
  });
};

const decideAll = async (
  bench: Workbench,
  { repository, holds, incidents }: OpenVault,
  declaration: Declaration,
  points: readonly RecoveryPoint[],
  { services, trustClock }: PruneRequest,
): Promise<readonly ServiceRetention[]> => {
  const held = await holds.list();
  const needed = await neededByRuns(bench);
  const wrong = await incidents.list();
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
        incidentSince: openIncident(wrong.filter((incident) => incident.service === service))?.since ?? null,
        windows: windowsOf(declaration, points, service, bench.clock.now().toISOString()),
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

/** Points that a component's log goes on from for as long as was promised. */
const windowsOf = (
  declaration: Declaration,
  points: readonly RecoveryPoint[],
  service: string,
  now: string,
): readonly { readonly point: string; readonly component: string }[] => {
  const own = points.filter(({ manifest }) => manifest.service === service);
  const declared = declaration.services[service];
  return Object.keys(declared?.components ?? {}).flatMap((component) => {
    const windowMs = pitrMs(declared, component);
    const base = windowMs === null ? undefined : windowBase(own, component, windowMs, now);
    return base === undefined ? [] : [{ point: base.id, component }];
  });
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

/** Those that may still restore. */
const unfinished: ReadonlySet<RunState> = new Set(["running", "waiting", "interrupted", "needs-operator"]);

const logsNeededByRuns = async (bench: Workbench): Promise<readonly NeededLog[]> => {
  const journal = await bench.journal();
  const needed: NeededLog[] = [];
  for (const { number, state } of await journal.listRuns()) {
    if (!unfinished.has(state)) continue;
    const { service, replays = {} } = (await journal.readRun(number)).plan.intent;
    for (const [component, { line, from, to }] of Object.entries(replays))
      needed.push({ service, component, line, from, to, run: number });
  }
  return needed;
};

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
  decided: Decided,
  pruning: Pruning,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<PruneResult> => {
  const {
    services,
    expiring,
    removals: { manifests, members },
  } = decided;
  // Before they go: a point that is gone and in no record was taken by somebody else.
  const keepOf = new Map(services.map(({ service, keep }) => [service, keep]));
  const leaving = expiring.map(({ point: { id, manifest } }) => ({
    point: id,
    service: manifest.service,
    reason: `expired by keep: ${JSON.stringify(keepOf.get(manifest.service) ?? null)}`,
  }));
  await departures.record(leaving);
  signal.throwIfAborted();
  const kept = await repository.removeSnapshots(manifests);
  // A point that stays needs its members.
  const gone = kept.length === 0 ? await repository.removeSnapshots(members) : [];
  const keptCopies = await repository.removeSnapshots(goingCopies(decided));
  // Last: a log without its point serves nobody, a point without its log has lost its range.
  const keptLogs = kept.length === 0 ? await repository.removeSnapshots(goingLogs(decided.logs)) : [];
  const refused = new Set<string>(kept.map(({ id }) => id));
  await departures.takeBack(leaving.filter(({ point }) => refused.has(point)));
  await departures.compact();
  return {
    expired: manifests.filter((id) => !refused.has(id)),
    refused: [...kept, ...gone, ...keptCopies, ...keptLogs],
    report: await pruning.run(signal, progress),
  };
};
