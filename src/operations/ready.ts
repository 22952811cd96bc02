/** ready: could this service be recovered now? Asks vault, sources, target and traffic, plans without keeping the plan, and changes nothing. */
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { preflightComponent, preflightCutovers, preflightFences } from "../core/components/preflight.ts";
import { findService } from "../core/declaration/find-service.ts";
import { requireSecrets } from "../core/declaration/missing-secrets.ts";
import { recoverableTo } from "../core/logs/recoverable-to.ts";
import { asOf, composePoints } from "../core/points/compose-points.ts";
import { openIncident } from "../core/points/open-incident.ts";
import { newestFirst, withoutLeft } from "../core/points/select-point.ts";
import type { OpenVault, Workbench } from "../core/ports/workbench.ts";
import { judgePoint } from "../core/ready/judge-point.ts";
import { judgeRuns } from "../core/ready/judge-runs.ts";
import { judgeFingerprint, judgePlan, judgePorts, judgePreflight, judgeSpace } from "../core/ready/judge-target.ts";
import { type RecoveryDraft, draftRecovery } from "../core/recovery/draft-recovery.ts";
import { withTrueState } from "../core/run/true-state.ts";
import { formatAmount } from "../core/text/quantity.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { ReadyCheck, Readiness } from "../model/readiness.ts";
import { toRefloatError } from "../model/refloat-error.ts";
import type { RunRecord } from "../model/run.ts";

export const readReadiness = async (bench: Workbench, name: string, signal: AbortSignal): Promise<Readiness> => {
  const service = findService(await bench.declaration(), name);
  const now = bench.clock.now().toISOString();
  const vault = await asked("vault", "opens", () => bench.vault());
  const points =
    vault.value === null ? [] : newestFirst(withoutLeft(composePoints(await vault.value.points.list(service.name))));
  const { draft, checks: refusals }: Drafted =
    points.length === 0 ? { draft: null, checks: [] } : await draftNow(bench, service, signal);
  const ofPoint = vault.value === null ? null : await ofVault(bench, vault.value, { service, points, draft, now });
  const checks = [
    ...vault.checks,
    ...(ofPoint?.checks ?? []),
    ...judgeRuns({ service: service.name, runs: await runsOf(bench, service), now }),
    ...(await ofSecrets(bench, service, signal)),
    ...(await ofComponents(bench, service, draft, signal)),
    ...(draft === null ? [] : judgeSpace(draft.plan.forecast.space)),
    ...refusals,
    ...(draft === null ? [] : judgePlan(draft.plan, service)),
  ];
  return {
    service: service.name,
    at: now,
    ready: checks.every(({ level }) => level !== "not-ready"),
    point: draft?.point.id ?? null,
    recoverableTo: ofPoint?.reached ?? null,
    predictedMs: draft?.plan.forecast.totalMs.likely ?? null,
    checks,
  };
};

type Drafted = { readonly draft: RecoveryDraft | null; readonly checks: readonly ReadyCheck[] };

/** Where a cutover is refused, what can be restored beside is planned all the same: the rest is still to be told. */
const draftNow = async (bench: Workbench, service: ServiceDeclaration, signal: AbortSignal): Promise<Drafted> => {
  const request = { service: service.name, at: null, only: null, acceptLoss: false, approve: false };
  const whole = await asked("plan", "cutover", () => draftRecovery(bench, { ...request, cutover: true }, signal));
  signal.throwIfAborted();
  if (whole.value !== null) return { draft: whole.value, checks: [] };
  const beside = await asked("plan", "beside", () => draftRecovery(bench, { ...request, cutover: false }, signal));
  return { draft: beside.value, checks: whole.checks };
};

type Asked<Value> = { readonly value: Value | null; readonly checks: readonly ReadyCheck[] };

/** What fails is a check that is not ready, and the rest is still asked. */
const asked = async <Value>(area: string, subject: string, ask: () => Promise<Value>): Promise<Asked<Value>> => {
  try {
    return { value: await ask(), checks: [] };
  } catch (error) {
    const { code, message, hint, nextCommand } = toRefloatError(error);
    if (code === "bug" || code === "interrupted") throw error;
    const advice = { ...(hint === undefined ? {} : { hint }), ...(nextCommand === undefined ? {} : { nextCommand }) };
    return { value: null, checks: [{ area, subject, level: "not-ready", found: message, ...advice }] };
  }
};

type Pointed = {
  readonly service: ServiceDeclaration;
  /** Newest first. */
  readonly points: readonly RecoveryPoint[];
  readonly draft: RecoveryDraft | null;
  readonly now: string;
};

const ofVault = async (
  bench: Workbench,
  vault: OpenVault,
  { service, points, draft, now }: Pointed,
): Promise<{ readonly checks: readonly ReadyCheck[]; readonly reached: string | null }> => {
  const { repository, incidents, logs } = vault;
  const point = draft?.point ?? points.find(({ missing }) => missing.length === 0) ?? null;
  const notes = await (await bench.vaultMemory()).notes();
  const reached = point === null ? null : recoverableTo(bench, point, await logs.spans(service.name));
  const found = `opens with the password; ${formatAmount(points.length, "points")} of ${service.name}; id ${repository.id.slice(0, 8)}`;
  return {
    reached,
    checks: [
      { area: "vault", subject: "opens", level: "ok", found },
      ...(await ofKeys(bench)),
      ...judgePoint({
        service,
        point,
        newestAt: points[0] === undefined ? null : asOf(points[0]),
        recoverableTo: reached,
        verifiedAt: point === null ? null : (notes.verified[point.id] ?? null),
        verification: notes.verification,
        incident: openIncident(await incidents.list(service.name)),
        now,
        timeZone: bench.host.timeZone,
      }),
      ...(point === null ? [] : await ofData(vault, point)),
    ],
  };
};

/** One password that is lost with this machine opens nothing any more. */
const ofKeys = async (bench: Workbench): Promise<readonly ReadyCheck[]> => {
  const keys = await asked("vault", "keys", async () => (await bench.vaultKeys()).list());
  if (keys.value === null) return keys.checks;
  const found = formatAmount(keys.value.length, "keys");
  return keys.value.length > 1
    ? [{ area: "vault", subject: "keys", level: "ok", found: `${found} open it` }]
    : [
        {
          area: "vault",
          subject: "keys",
          level: "warning",
          found: "one key alone opens it: lost with this machine, nothing does",
          nextCommand: "refloat vault keys add --recovery",
        },
      ];
};

/** That the point is listed says that its manifest is there; here the root of each component is read and decrypted. */
const ofData = async ({ repository }: OpenVault, point: RecoveryPoint): Promise<readonly ReadyCheck[]> => {
  const checks: ReadyCheck[] = [];
  for (const { name, snapshot } of Object.values(point.manifest.components)) {
    const opened = await asked("point", `data of ${name}`, () => repository.openSnapshot(snapshot));
    checks.push(...opened.checks.map((check) => ({ ...check, found: `${name}: ${check.found}` })));
  }
  if (checks.length > 0) return checks;
  const { length } = Object.keys(point.manifest.components);
  return [
    {
      area: "point",
      subject: "data",
      level: "ok",
      found: length === 0 ? "it is a runbook, without data" : `the data of ${formatAmount(length, "components")} opens`,
    },
  ];
};

const runsOf = async (bench: Workbench, service: ServiceDeclaration): Promise<readonly RunRecord[]> => {
  const [journal, leases] = [await bench.journal(), await bench.leases()];
  const runs: RunRecord[] = [];
  for (const record of await journal.listRuns(service.name)) runs.push(await withTrueState(journal, leases, record));
  return runs;
};

const ofSecrets = async (
  bench: Workbench,
  service: ServiceDeclaration,
  signal: AbortSignal,
): Promise<readonly ReadyCheck[]> => {
  const names = Object.keys(service.components);
  const { checks } = await asked("secrets", "secrets", () => requireSecrets(bench, service, names, signal));
  return checks.length > 0
    ? checks
    : [{ area: "secrets", subject: "secrets", level: "ok", found: "all that the service names can be read" }];
};

const ofComponents = (
  bench: Workbench,
  service: ServiceDeclaration,
  drafted: RecoveryDraft | null,
  signal: AbortSignal,
): Promise<readonly ReadyCheck[]> => {
  const marker = `refloat/ready/${service.name}`;
  return withComponents(bench, { service, locate: () => null, marker, signal }, async (access) => {
    const checks: ReadyCheck[] = [];
    for (const name of Object.keys(service.components)) checks.push(...(await ofComponent(access, name, drafted)));
    for (const { subject, report } of await preflightCutovers(bench, { service, access, marker, signal }))
      checks.push(...judgePreflight(subject, report, true));
    for (const { subject, report } of await preflightFences(bench, { service, access, signal }))
      checks.push(...judgePreflight(subject, report, true));
    return checks;
  });
};

const ofComponent = async (
  access: ComponentAccess,
  name: string,
  drafted: RecoveryDraft | null,
): Promise<readonly ReadyCheck[]> => {
  const report = await preflightComponent(access, name);
  const live = drafted?.look.components[name];
  const captured = drafted?.point.manifest.components[name];
  return [
    ...judgePreflight(name, report, live?.present ?? true),
    ...judgePorts(name, live),
    ...judgeFingerprint(name, live === undefined || captured?.fingerprint === undefined ? null : live.fingerprint),
  ];
};
