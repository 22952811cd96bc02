/**
 * capture: one recovery point of a whole service. Components are read in the order of their data references; nothing of the
 * point is visible before all of them are whole, and the manifest is written last.
 */
import { audited } from "../core/audit/audited.ts";
import { withComponents } from "../core/components/component-access.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import { buildGraph } from "../core/graph/build-graph.ts";
import { captureOrder, recoveryOrder } from "../core/graph/order.ts";
import { checkInvariant } from "../core/invariants/check-invariant.ts";
import { declaredLock } from "../core/points/point-locks.ts";
import { lockDoubt } from "../core/points/lock-doubt.ts";
import { observedConsistency } from "../core/points/consistency.ts";
import { findService } from "../core/declaration/find-service.ts";
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
  /** Something that was asked for is not to be had; the capture goes on. */
  | { readonly type: "warning"; readonly message: string; readonly hint: string; readonly nextCommand: string }
  | { readonly type: "begin"; readonly component: string }
  | { readonly type: "progress"; readonly component: string; readonly progress: Progress }
  | { readonly type: "end"; readonly component: string; readonly sizeBytes: number };

export type CaptureOptions = {
  readonly service: string;
  /** The service was stopped for a cutover: checks and invariants are not asked, since they would tell of that and delay its end. */
  readonly held?: boolean;
  /** Uid of the run that takes the point; any other run that is in its cutover forbids it. */
  readonly takenBy?: string;
  /** Names for the point; `keep: { tags }` holds on to it by them. */
  readonly tags?: readonly string[];
  readonly onEvent: (event: CaptureEvent) => void;
  readonly signal: AbortSignal;
};

type Pending = { readonly report: CaptureReport; readonly writer: SnapshotWriter; readonly finishedAt: string };

/** @throws RefloatError run.in-progress, source.*, program.*, vault.*: no point was made; journal.failed may come after it was, and says so */
export const capture = async (bench: Workbench, options: CaptureOptions): Promise<RecoveryPoint> => {
  const service = findService(await bench.declaration(), options.service);
  const { points, repository } = await bench.vault();
  const [previous] = await points.list(service.name);
  const support = service.lock === undefined ? null : await repository.lockSupport();
  const doubt = lockDoubt(service, support);
  if (doubt !== null) options.onEvent({ type: "warning", ...doubt });
  let made: PointId | null = null;
  try {
    const point = await audited(
      bench.audit,
      { action: "capture", service: service.name, detail: {} },
      () => captureService(bench, service, previous ?? null, { ...options, onMade: (id) => (made = id) }),
      ({ id, manifest }) => ({ detail: { point: id, consistentAt: manifest.consistentAt } }),
    );
    if (support?.locks === true) await logLock(bench, point);
    return point;
  } catch (error) {
    if (made !== null) throw afterwards(toRefloatError(error), service.name, made);
    const why: unknown = options.signal.aborted ? options.signal.reason : error;
    throw withState(toRefloatError(why), service.name, previous ?? null);
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
    state: `point ${shortId(made)} was made and is whole; what failed came after it, and the audit log may not tell of its end`,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    nextCommand: `refloat points ${service}`,
  });

const captureService = (
  bench: Workbench,
  service: ServiceDeclaration,
  previous: RecoveryPoint | null,
  options: CaptureOptions & { readonly onMade: (id: PointId) => void },
): Promise<RecoveryPoint> => {
  const beganAt = bench.clock.now().toISOString();
  const graph = buildGraph(service);
  const order = captureOrder(graph);
  let current = order[0] ?? "";
  return withComponents(
    bench,
    {
      service,
      locate: () => null,
      marker: `refloat/capture/${service.name}`,
      signal: options.signal,
      progress: (progress) => options.onEvent({ type: "progress", component: current, progress }),
    },
    async (access) => {
      const { points } = await bench.vault();
      const cutovers = await watchCutovers(bench, { service: service.name, takenBy: options.takenBy ?? null });
      const held = options.held === true;
      const checks = held ? unaskedChecks(service, order) : await sourceChecks(service, order, access);
      const pending = new Map<string, Pending>();
      try {
        for (const component of order) {
          current = component;
          options.onEvent({ type: "begin", component });
          const captured = await captureComponent(bench, service, component, access, previous);
          pending.set(component, captured);
          options.onEvent({ type: "end", component, sizeBytes: captured.report.facts.sizeBytes });
        }
        const invariants = held
          ? Object.keys(service.invariants).map((name) => unasked("invariant", name))
          : await sourceInvariants(bench, service, access);
        // From here on only the vault can fail. Members first, the manifest last: without it the point does not exist.
        const components: Record<string, CapturedComponent> = {};
        for (const [name, member] of pending)
          components[name] = await commitMember(name, access.driver(name).type, member);
        const { newest } = await bench.audit.settle();
        await cutovers.askAgain();
        const manifest: PointManifest = {
          schemaVersion: 1,
          service: service.name,
          ...(options.tags === undefined || options.tags.length === 0 ? {} : { tags: [...options.tags] }),
          declaration: service,
          graph,
          captureOrder: [...order],
          recoveryOrder: [...recoveryOrder(graph)],
          beganAt,
          finishedAt: bench.clock.now().toISOString(),
          ...observedConsistency(Object.values(components), graph),
          components,
          checks: [...checks],
          invariants,
          ...(newest === null ? {} : { audit: newest }),
          host: { hostname: bench.host.hostname },
          tool: { name: "refloat", version: bench.host.toolVersion },
        };
        const point: RecoveryPoint = { id: await points.commit(manifest), manifest, missing: [] };
        options.onMade(point.id);
        await rememberSeen(bench, [point]);
        return point;
      } finally {
        await Promise.all([...pending.values()].map(({ writer }) => writer.abort()));
      }
    },
  );
};

const captureComponent = async (
  bench: Workbench,
  service: ServiceDeclaration,
  component: string,
  access: ComponentAccess,
  previous: RecoveryPoint | null,
): Promise<Pending> => {
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
    const report = await access.driver(component).capture(await access.context(component), writer, before);
    return { report, writer, finishedAt: bench.clock.now().toISOString() };
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

/** Declared checks, asked of the source: a failed one marks the point as bad, it does not stop the capture. */
const sourceChecks = async (service: ServiceDeclaration, order: readonly string[], access: ComponentAccess) => {
  const outcomes: CheckOutcome[] = [];
  for (const component of order) {
    for (const check of service.components[component]?.checks ?? []) {
      outcomes.push(
        await access.runCheck(check, component).catch((error: unknown) => unanswered(check.kind, component, error)),
      );
    }
  }
  return outcomes;
};

const sourceInvariants = (bench: Workbench, service: ServiceDeclaration, access: ComponentAccess) =>
  Promise.all(
    Object.entries(service.invariants).map(([name, invariant]) =>
      checkInvariant(name, invariant, access, () => null, bench.clock).catch((error: unknown) =>
        unanswered("invariant", name, error),
      ),
    ),
  );

/** A source that cannot be asked (an application that is down) is shown as such; its data may still be whole. */
const unanswered = (kind: string, component: string, error: unknown): CheckOutcome => {
  const { code, message } = toRefloatError(error);
  if (code === "bug") throw error;
  return {
    subject: `${kind} of ${component}`,
    kind,
    component,
    status: "skipped",
    found: `could not be asked: ${message}`,
    durationMs: 0,
  };
};

const unasked = (kind: string, component: string): CheckOutcome => ({
  subject: `${kind} of ${component}`,
  kind,
  status: "skipped",
  found: "not asked: the service was held",
  durationMs: 0,
});

const unaskedChecks = (service: ServiceDeclaration, order: readonly string[]): readonly CheckOutcome[] =>
  order.flatMap((component) =>
    (service.components[component]?.checks ?? []).map((check) => ({ ...unasked(check.kind, component), component })),
  );

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
