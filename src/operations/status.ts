/** status: what is overdue, interrupted or answers wrong, and what to type next. Looks, changes nothing. */
import pLimit from "p-limit";
import { askComponents } from "../core/components/ask-components.ts";
import { withComponents } from "../core/components/component-access.ts";
import { unaskedOutcome } from "../core/components/live-answers.ts";
import { type LogEnd, logEnds, recoverableTo } from "../core/logs/recoverable-to.ts";
import { composePoints } from "../core/points/compose-points.ts";
import { openIncident } from "../core/points/open-incident.ts";
import { missedPoints, rememberSeen } from "../core/points/seen-points.ts";
import { readDisarmed } from "../core/run/read-disarmed.ts";
import type { Frozen } from "../core/ports/freezes.ts";
import type { LastVerification, VaultNotes } from "../core/ports/vault-memory.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { rtoActual } from "../core/run/run-summary.ts";
import { withoutLeft } from "../core/points/select-point.ts";
import { withTrueState } from "../core/run/true-state.ts";
import type { DisarmedComponent } from "../model/arming.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { PointId } from "../model/identifiers.ts";
import type { Incident } from "../model/incident.ts";
import type { LogSpan } from "../model/log-span.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { CheckOutcome, SilentComponent } from "../model/outcome.ts";
import { toRefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";
import { waitingWords } from "../core/run/waiting-words.ts";

export type ServiceStatus = {
  readonly service: ServiceDeclaration;
  readonly lastPoint: RecoveryPoint | null;
  /** How many the vault has; 0 where it does not open. */
  readonly points: number;
  /** The newest point whose bytes this machine has read and found sound, all of them at `verifiedAt` or later. */
  readonly lastVerified: { readonly point: PointId; readonly takenAt: string; readonly verifiedAt: string } | null;
  /** What the probe says now; null when none is declared. */
  readonly probe: CheckOutcome | null;
  /** Components that do not answer; empty also where nobody asked. */
  readonly silent: readonly SilentComponent[];
  /** Newest first. */
  readonly runs: readonly RunRecord[];
  /** Commands that work on the newest of them that has stopped, the most sensible first; empty while none has. */
  readonly words: readonly string[];
  /** RTO actual of the last run that put the service back; null before the first. */
  readonly lastRecovery: { readonly run: number; readonly actualMs: number } | null;
  /** The one that is open; null while none is, and where the vault does not open. */
  readonly incident: Incident | null;
  /** A freeze for a capture that has not been thawed, or is going on; null when there is none. */
  readonly frozen: Frozen | null;
  /** By component with a log, until when the vault has it. */
  readonly logs: readonly LogEnd[];
  /** What a recovery has switched off and nobody has armed. */
  readonly disarmed: readonly DisarmedComponent[];
  /** Components of which that cannot be told, and why. */
  readonly undisclosed: readonly { readonly component: string; readonly problem: string }[];
  /** The moment that all data could be brought back to now: of each component the last point, or the end of its log. Null without a point. */
  readonly recoverableTo: string | null;
};

export type Status = {
  readonly at: string;
  readonly vault: {
    readonly url: string;
    readonly problem: string | null;
    /** The last one from this machine; null before the first. */
    readonly verification: LastVerification | null;
    /** Points that this machine has seen and that are gone, without a recorded departure. */
    readonly gone: readonly string[];
  };
  readonly services: readonly ServiceStatus[];
};

export type StatusOptions = {
  /** Asks each component beside the probe: of one that does not answer it may be some seconds until that is known. */
  readonly components: boolean;
  readonly signal: AbortSignal;
};

export const readStatus = async (bench: Workbench, { components, signal }: StatusOptions): Promise<Status> => {
  const declaration = await bench.declaration();
  const { points, incidents, logs, verified, ...vault } = await readVault(bench);
  const journal = await bench.journal();
  const leases = await bench.leases();
  const runs: RunRecord[] = [];
  for (const record of await journal.listRuns()) runs.push(await withTrueState(journal, leases, record));
  const limit = pLimit(servicesAtOnce);
  const services = await limit.map(Object.values(declaration.services), async (service): Promise<ServiceStatus> => {
    const own = runs.filter((run) => run.service === service.name);
    const ownPoints = composePoints(points.filter(({ manifest }) => manifest.service === service.name));
    const lastPoint = withoutLeft(ownPoints)[0] ?? null;
    const spans = logs.filter((span) => span.service === service.name);
    return {
      service,
      lastPoint,
      points: ownPoints.length,
      lastVerified: lastVerifiedOf(ownPoints, verified),
      logs: logEnds(bench, lastPoint, spans),
      recoverableTo: lastPoint === null ? null : recoverableTo(bench, lastPoint, spans),
      frozen: await bench.freezes.left(service.name),
      probe: await askProbe(bench, service, signal),
      silent: components ? await askSilent(bench, service, signal) : [],
      runs: own,
      words: await waitingWords(journal, own),
      ...(await readDisarmed(bench, { service, runs: own, signal })),
      lastRecovery: await lastRecovery(journal, own),
      incident: openIncident(incidents.filter((incident) => incident.service === service.name)),
    };
  });
  return { at: bench.clock.now().toISOString(), vault: { url: declaration.vault.url, ...vault }, services };
};

/** Each is waited for in vain where nobody answers, and asks its components some at a time: their servers have few connections to spare. */
const servicesAtOnce = 4;

/** @param points of one service, newest first */
const lastVerifiedOf = (
  points: readonly RecoveryPoint[],
  verified: VaultNotes["verified"],
): ServiceStatus["lastVerified"] => {
  for (const { id, manifest, missing } of points) {
    const verifiedAt = verified[id];
    if (verifiedAt !== undefined && missing.length === 0)
      return { point: id, takenAt: manifest.consistentAt, verifiedAt };
  }
  return null;
};

const lastRecovery = async (
  journal: Awaited<ReturnType<Workbench["journal"]>>,
  runs: readonly RunRecord[],
): Promise<ServiceStatus["lastRecovery"]> => {
  for (const { number, purpose, state } of runs) {
    if (purpose !== "recover" || (state !== "succeeded" && state !== "committed")) continue;
    const { record, plan } = await journal.readRun(number);
    const rto = rtoActual(record, plan);
    if (rto !== null) return { run: number, actualMs: rto.actualMs };
  }
  return null;
};

/** A vault that does not open is the first thing to show, not a reason to show nothing. */
const readVault = async (
  bench: Workbench,
): Promise<
  Omit<Status["vault"], "url"> & {
    readonly points: readonly RecoveryPoint[];
    readonly verified: VaultNotes["verified"];
    readonly incidents: readonly Incident[];
    readonly logs: readonly LogSpan[];
  }
> => {
  try {
    const { points: store, departures, incidents, logs } = await bench.vault();
    const points = await store.list();
    const notes = await rememberSeen(bench, points);
    const unreadable = await store.unreadable();
    const known = new Set<string>([...points.map(({ id }) => id), ...unreadable.map(({ id }) => id)]);
    let missed = missedPoints(notes, (point) => known.has(point));
    if (missed.length > 0) {
      const departed = new Set<string>((await departures.list()).keys());
      missed = missed.filter(({ point }) => !departed.has(point));
    }
    return {
      points,
      verified: notes.verified,
      incidents: await incidents.list(),
      logs: await logs.spans(),
      problem: null,
      verification: notes.verification,
      gone: missed.map(({ point }) => point),
    };
  } catch (error) {
    const { code, message } = toRefloatError(error);
    if (code === "bug") throw error;
    return { points: [], verified: {}, incidents: [], logs: [], problem: message, verification: null, gone: [] };
  }
};

const askSilent = (
  bench: Workbench,
  service: ServiceDeclaration,
  signal: AbortSignal,
): Promise<readonly SilentComponent[]> =>
  withComponents(bench, { service, locate: () => null, marker: `refloat/status/${service.name}`, signal }, (access) =>
    askComponents(access, Object.keys(service.components), signal),
  );

const askProbe = (bench: Workbench, service: ServiceDeclaration, signal: AbortSignal): Promise<CheckOutcome | null> => {
  const { probe } = service;
  if (probe === undefined) return Promise.resolve(null);
  return withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/status/${service.name}`, signal },
    (access) => access.runCheck(probe, null),
  ).catch((error: unknown) => unaskedOutcome(error, { subject: "probe", kind: probe.kind }, signal));
};
