/**
 * capture: one recovery point of a whole service. Components are read in the order of their data references, while the service stands
 * still where it declares how; nothing of the point is visible before all of them are whole, and the manifest is written last.
 */
import { audited } from "../core/audit/audited.ts";
import { sourceChecks, sourceInvariants, unaskedChecks, unaskedInvariants } from "../core/components/ask-source.ts";
import { withComponents } from "../core/components/component-access.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import { buildGraph } from "../core/graph/build-graph.ts";
import { captureOrder, recoveryOrder } from "../core/graph/order.ts";
import { composePoints } from "../core/points/compose-points.ts";
import { declaredLock } from "../core/points/point-locks.ts";
import { lockDoubt } from "../core/points/lock-doubt.ts";
import { observedConsistency } from "../core/points/consistency.ts";
import { sideOf } from "../core/invariants/invariant-sides.ts";
import { findService, requireComponents } from "../core/declaration/find-service.ts";
import { readInOrder } from "../core/quiesce/read-in-order.ts";
import { frozenError, standStill } from "../core/quiesce/stand-still.ts";
import type { FreezeEvent, StandStill, Stillness } from "../core/quiesce/stillness.ts";
import { rememberSeen } from "../core/points/seen-points.ts";
import type { CaptureReport } from "../core/ports/driver.ts";
import type { SnapshotWriter } from "../core/ports/vault-snapshots.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { watchCutovers } from "../core/run/watch-cutovers.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { type PointId, shortId } from "../model/identifiers.ts";
import type { CapturedComponent, PointManifest, RecoveryPoint } from "../model/manifest.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { Progress } from "../model/run.ts";

export type CaptureEvent =
  /** `warning`: something that was asked for is not to be had; the capture goes on. */
  | FreezeEvent
  | { readonly type: "begin"; readonly component: string }
  | { readonly type: "progress"; readonly component: string; readonly progress: Progress }
  | { readonly type: "end"; readonly component: string; readonly sizeBytes: number };

export type CaptureOptions = {
  readonly service: string;
  /** Of the service on another side than the file's. */
  readonly declaration?: ServiceDeclaration;
  /** The service was stopped for a cutover: checks and invariants are not asked, since they would tell of that and delay its end. */
  readonly held?: boolean;
  /** Uid of the run that takes the point; any other run that is in its cutover forbids it. */
  readonly takenBy?: string;
  /** The run whose undo takes the point, of the side that it leaves. */
  readonly leftBy?: NonNullable<PointManifest["leftBy"]>;
  /** Names for the point; `keep: { tags }` holds on to it by them. */
  readonly tags?: readonly string[];
  /** Components to capture alone; all when left out. */
  readonly only?: readonly string[];
  readonly onEvent: (event: CaptureEvent) => void;
  readonly signal: AbortSignal;
};

type Pending = { readonly report: CaptureReport; readonly writer: SnapshotWriter; readonly finishedAt: string };

/**
 * @throws RefloatError run.in-progress, source.*, program.*, vault.*: no point was made; journal.failed may come after it was, and says so;
 * service.frozen when the service could not be thawed, with what became of the point
 */
export const capture = async (bench: Workbench, options: CaptureOptions): Promise<RecoveryPoint> => {
  const service = options.declaration ?? findService(await bench.declaration(), options.service);
  const { points, repository } = await bench.vault();
  requireComponents(service, options.only ?? []);
  const [previous] = composePoints(await points.list(service.name));
  const support = service.lock === undefined ? null : await repository.lockSupport();
  const doubt = lockDoubt(service, support);
  if (doubt !== null) options.onEvent({ type: "warning", ...doubt });
  let made: PointId | null = null;
  let stuck: string | null = null;
  const told = {
    onMade: (id: PointId) => void (made = id),
    onStuck: (reason: string) => void (stuck = reason),
  };
  try {
    const point = await audited(
      bench.audit,
      { action: "capture", service: service.name, detail: {} },
      () => captureService(bench, service, previous ?? null, { ...options, ...told }),
      ({ id, manifest }) => ({ detail: { point: id, consistentAt: manifest.consistentAt } }),
    );
    if (support?.locks === true) await logLock(bench, point);
    if (stuck !== null) throw frozenError(service.name, stuck);
    return point;
  } catch (error) {
    // A service that takes no writes comes before whatever else has failed.
    const why = toRefloatError(stuck === null ? error : frozenError(service.name, stuck, { cause: error }));
    if (made !== null) throw afterwards(why, service.name, made);
    throw withState(
      stuck === null && options.signal.aborted ? toRefloatError(options.signal.reason) : why,
      service.name,
      previous ?? null,
    );
  }
};

/** Everything that the point rests on is locked so, what older points share with it too. */
const logLock = async ({ audit }: Workbench, { id, manifest }: RecoveryPoint): Promise<void> => {
  const lock = declaredLock(manifest);
  if (lock === null) return;
  const { until, mode } = lock;
  const detail = { point: id, until: until.toISOString(), mode };
  await audit.append({ action: "lock", outcome: "done", service: manifest.service, detail });
  await audit.settle();
};

const afterwards = (error: RefloatError, service: string, made: PointId): RefloatError =>
  new RefloatError(error.code, error.message, {
    cause: error,
    context: { ...error.context, point: made },
    state: `point ${shortId(made)} was made and is whole${error.code === "service.frozen" ? "" : "; what failed came after it, and the audit log may not tell of its end"}`,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    nextCommand: error.code === "service.frozen" ? `refloat capture ${service}` : `refloat points ${service}`,
  });

type Capturing = CaptureOptions & {
  readonly onMade: (id: PointId) => void;
  /** The service may still be frozen. */
  readonly onStuck: (reason: string) => void;
};

/** Without the invariants whose other side is not captured: what they would say is not of the point. */
const partOf = (service: ServiceDeclaration, order: readonly string[]): ServiceDeclaration => ({
  ...service,
  invariants: Object.fromEntries(
    Object.entries(service.invariants).filter(([, { every, in: within }]) =>
      [every, within].map(sideOf).every((side) => order.includes(side)),
    ),
  ),
});

const captureService = (
  bench: Workbench,
  service: ServiceDeclaration,
  previous: RecoveryPoint | null,
  options: Capturing,
): Promise<RecoveryPoint> => {
  const beganAt = bench.clock.now().toISOString();
  const graph = buildGraph(service);
  const { only } = options;
  const order = captureOrder(graph).filter((name) => only?.includes(name) !== false);
  const isWhole = order.length === Object.keys(service.components).length;
  const asked = partOf(service, order);
  const { signal, onEvent } = options;
  return withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/capture/${service.name}`, signal },
    async (access) => {
      const { points } = await bench.vault();
      const cutovers = await watchCutovers(bench, { service: service.name, takenBy: options.takenBy ?? null });
      const held = options.held === true;
      const checks = held ? unaskedChecks(service, order) : await sourceChecks(service, order, access);
      const pending = new Map<string, Pending>();
      const still = held ? null : await standStill(bench, { service, access, signal, tell: onEvent, held: "point" });
      try {
        const reading = { bench, service: asked, access, previous, pending, onEvent };
        const { stillness, invariants } = await readService(reading, order, still, signal);
        // From here on only the vault can fail. Members first, the manifest last: without it the point does not exist.
        const components: Record<string, CapturedComponent> = {};
        for (const name of order) {
          const member = pending.get(name);
          if (member !== undefined) components[name] = await commitMember(name, access.driver(name).type, member);
        }
        const { newest } = await bench.audit.settle();
        await cutovers.askAgain();
        const data = order.filter((name) => access.driver(name).runtime === undefined);
        const manifest: PointManifest = {
          schemaVersion: 1,
          service: service.name,
          ...(options.tags === undefined || options.tags.length === 0 ? {} : { tags: [...options.tags] }),
          ...(options.leftBy === undefined ? {} : { leftBy: options.leftBy }),
          ...(isWhole ? {} : { only: [...order] }),
          declaration: service,
          graph,
          captureOrder: [...order],
          recoveryOrder: [...recoveryOrder(graph)],
          beganAt,
          finishedAt: bench.clock.now().toISOString(),
          ...observedConsistency(Object.values(components), {
            graph,
            stillness,
            data,
            invariants,
            beganAt,
          }),
          components,
          checks: [...checks],
          invariants: [...invariants],
          ...(newest === null ? {} : { audit: newest }),
          host: { hostname: bench.host.hostname },
          tool: { name: "refloat", version: bench.host.toolVersion },
        };
        const point: RecoveryPoint = { id: await points.commit(manifest), manifest, missing: [] };
        options.onMade(point.id);
        await rememberSeen(bench, [point]);
        return point;
      } finally {
        await still?.end();
        const stuck = still?.stuck() ?? null;
        if (stuck !== null) options.onStuck(stuck);
        await Promise.all([...pending.values()].map(({ writer }) => writer.abort()));
      }
    },
  );
};

type Reading = {
  readonly bench: Workbench;
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly previous: RecoveryPoint | null;
  /** Filled as components are read. */
  readonly pending: Map<string, Pending>;
  readonly onEvent: (event: CaptureEvent) => void;
};

/**
 * All components, and what the invariants say of the source. While it stands still they are asked beside the reading, of just what is read, and
 * it goes on when the last of both is over; else, or when it did not stand still to the end, they are asked afterwards.
 */
const readService = async (
  reading: Reading,
  order: readonly string[],
  still: StandStill | null,
  signal: AbortSignal,
): Promise<{ readonly stillness: Stillness; readonly invariants: readonly CheckOutcome[] }> => {
  const { bench, service, access } = reading;
  const ask = () => sourceInvariants(service, access, bench.clock);
  const overlap = still?.isFrozen === true;
  const asked = overlap ? ask() : null;
  // Awaited when all is steady; until then it must not end the process.
  asked?.catch(() => undefined);
  let stillness: Stillness = { kind: "none" };
  await readInOrder(order, (name, pinned, stop) => readComponent(reading, name, pinned, stop), {
    overlap,
    signal,
    onSteady: async () => {
      await asked;
      if (still !== null) stillness = await still.end();
    },
  });
  if (still === null) return { stillness, invariants: unaskedInvariants(service) };
  return { stillness, invariants: asked !== null && isQuiesced(stillness) ? await asked : await ask() };
};

const isQuiesced = ({ kind }: Stillness): boolean => kind === "quiesced";

const readComponent = async (
  { bench, service, access, previous, pending, onEvent }: Reading,
  component: string,
  pinned: () => void,
  signal: AbortSignal,
): Promise<void> => {
  onEvent({ type: "begin", component });
  const { repository } = await bench.vault();
  const before = previous?.manifest.components[component] ?? null;
  const writer = await repository.beginSnapshot({
    hostname: bench.host.hostname,
    time: bench.clock.now(),
    tags: ["refloat", `service=${service.name}`, `component=${component}`],
    paths: [`/${service.name}/${component}`],
    ...(before === null ? {} : { parent: before.snapshot }),
  });
  try {
    const context = {
      ...(await access.context(component)),
      signal,
      progress: (progress: Progress) => onEvent({ type: "progress", component, progress }),
    };
    const report = await access.driver(component).capture(context, writer, before, pinned);
    pending.set(component, { report, writer, finishedAt: bench.clock.now().toISOString() });
    onEvent({ type: "end", component, sizeBytes: report.facts.sizeBytes });
  } catch (error) {
    await writer.abort();
    throw error;
  }
};

const commitMember = async (
  name: string,
  driver: string,
  { report, writer, finishedAt }: Pending,
): Promise<CapturedComponent> => {
  const info = await writer.commit();
  return {
    ...report,
    name,
    driver,
    snapshot: info.id,
    sizeBytes: report.facts.sizeBytes,
    newBytes: info.newBytes,
    finishedAt,
  };
};

/** Where looking at the sources would not help. */
const nextAfter: Readonly<Record<string, string>> = {
  interrupted: "refloat capture {service}",
  "vault.no-space": "refloat vault prune --dry-run",
};

const withState = (error: RefloatError, service: string, previous: RecoveryPoint | null): RefloatError =>
  new RefloatError(error.code, error.message, {
    cause: error,
    context: error.context,
    state:
      previous === null
        ? "no point was made; there is none yet"
        : `no point was made; the last is ${previous.id.slice(0, 8)}, ${previous.manifest.consistentAt}`,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    nextCommand:
      error.nextCommand ?? (nextAfter[error.code] ?? "refloat validate --live {service}").replace("{service}", service),
  });
