/**
 * validate --live: asks every source, credential, program, traffic director and the vault whether they would answer a capture
 * and a recovery now, and the live side what a recovery asks of the new one: checks, invariants, the probe. Says which commands and rights
 * the two will use. Changes nothing; of the vault it takes and gives back the lock of a capture.
 */
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { capturedPart } from "../core/components/captured-part.ts";
import { settledDifferences } from "../core/components/look-at-provisions.ts";
import {
  preflightAnswer,
  preflightComponent,
  preflightCutovers,
  preflightFences,
  preflightProvision,
} from "../core/components/preflight.ts";
import { remedyHint, remedyOf, withSettledBy } from "../core/components/settled-differences.ts";
import { findService } from "../core/declaration/find-service.ts";
import { checkInvariant } from "../core/invariants/check-invariant.ts";
import { composePoints } from "../core/points/compose-points.ts";
import type { FreezeRequest, Frozen } from "../core/ports/freezes.ts";
import type { PreflightReport } from "../core/ports/driver.ts";
import { frozenComponents } from "../core/quiesce/frozen-components.ts";
import { judgeQuiesceTime } from "../core/quiesce/quiesce-time.ts";
import { formatList } from "../core/text/quantity.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { CommitLockDeclaration, ServiceDeclaration } from "../model/declaration.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type LiveSubject = { readonly service: string; readonly subject: string; readonly report: PreflightReport };

export type LiveValidation = { readonly ok: boolean; readonly subjects: readonly LiveSubject[] };

/** @param only one service's name, or null for all */
export const validateLive = async (
  bench: Workbench,
  only: string | null,
  signal: AbortSignal,
): Promise<LiveValidation> => {
  const declaration = await bench.declaration();
  const services = only === null ? Object.values(declaration.services) : [findService(declaration, only)];
  const subjects: LiveSubject[] = [];
  for (const service of services) {
    subjects.push({
      service: service.name,
      subject: "vault",
      report: await preflightAnswer("vault", () => askVault(bench, declaration.vault.url, service)),
    });
    subjects.push(...(await askService(bench, service, signal)));
  }
  return { ok: subjects.every(({ report }) => report.findings.every(({ ok }) => ok)), subjects };
};

const askService = (
  bench: Workbench,
  service: ServiceDeclaration,
  signal: AbortSignal,
): Promise<readonly LiveSubject[]> => {
  // Listed once for all components, and only where one has a fingerprint to be asked for.
  let listed: Promise<RecoveryPoint | null> | null = null;
  const newest = (): Promise<RecoveryPoint | null> => (listed ??= newestPoint(bench, service));
  return withComponents(
    bench,
    {
      service,
      locate: () => null,
      captured: async (name) =>
        capturedPart((await newest())?.manifest.components[name], async () => (await bench.vault()).repository),
      marker: `refloat/validate/${service.name}`,
      signal,
    },
    async (access) => {
      const subjects: LiveSubject[] = [];
      for (const name of Object.keys(service.provision ?? {}))
        subjects.push({ service: service.name, subject: name, report: await preflightProvision(access, name) });
      for (const name of Object.keys(service.components)) {
        const report = await preflightComponent(access, name);
        const checks = await askChecks(service, name, access);
        const lacking = await preflightAnswer("fingerprint", () => askFingerprint(newest, service, name, access));
        subjects.push({
          service: service.name,
          subject: name,
          report: { ...report, findings: [...report.findings, ...lacking.findings, ...checks] },
        });
      }
      const marker = `refloat/validate/${service.name}`;
      for (const { subject, report } of await preflightCutovers(bench, { service, access, marker, signal }))
        subjects.push({ service: service.name, subject, report });
      for (const { subject, report } of await preflightFences(bench, { service, access, signal }))
        subjects.push({ service: service.name, subject, report });
      const { probe, quiesce } = service;
      if (quiesce !== undefined) {
        const request = { service: service.name, quiesce, bind: access.bind(null), signal };
        const report = await preflightAnswer("quiesce", () => askQuiesce(bench, request, service, access));
        subjects.push({ service: service.name, subject: "quiesce", report });
      }
      for (const [name, invariant] of Object.entries(service.invariants)) {
        const subject = `invariant ${name}`;
        const ask = () => checkInvariant(name, invariant, access, bench.clock);
        subjects.push({
          service: service.name,
          subject,
          report: await preflightAnswer(subject, async () => found(subject, await ask(), brokenLinks)),
        });
      }
      if (probe !== undefined) {
        const report = await preflightAnswer("probe", async () =>
          found("probe", await access.runCheck(probe, null), wrongProbe),
        );
        subjects.push({ service: service.name, subject: "probe", report });
      }
      return subjects;
    },
  );
};

/** What a recovery now would take; null where there is none, or the vault does not answer, which is told by itself. */
const newestPoint = async (bench: Workbench, { name }: ServiceDeclaration): Promise<RecoveryPoint | null> => {
  const { points } = await bench.vault();
  return composePoints(await points.list(name))[0] ?? null;
};

/** Has this machine the packages that the newest point was captured with? What else differs is told by `ready` and by each plan. */
const askFingerprint = async (
  newest: () => Promise<RecoveryPoint | null>,
  service: ServiceDeclaration,
  component: string,
  access: ComponentAccess,
): Promise<PreflightReport> => {
  const none = { findings: [], commands: [], recoveryCommands: [], grants: [] };
  const driver = access.driver(component);
  if (driver.compareFingerprint === undefined) return none;
  const captured = (await newest())?.manifest.components[component]?.fingerprint;
  if (captured?.archives === undefined) return none;
  const live = await driver.compareFingerprint(await access.context(component), captured);
  const missing = live.filter(({ inPoint, severity }) => inPoint === true && severity === "missing");
  const subject = `packages of ${component}`;
  if (missing.length === 0)
    return {
      ...none,
      findings: [{ ok: true, subject, found: "all that the newest point was captured with are here" }],
    };
  const differences = withSettledBy(missing, await settledDifferences(access, Object.keys(service.provision ?? {})));
  const hint = remedyHint(component, differences);
  const words = differences.map((one) => `${one.subject} ${one.captured}${remedyOf(one)}`);
  return {
    ...none,
    findings: [
      { ok: hint === null, subject, found: `not found here: ${formatList(words)}`, ...(hint === null ? {} : { hint }) },
    ],
  };
};

/** Runs neither line, takes no lock; whether the time suffices is told by the captures that were made. */
const askQuiesce = async (
  bench: Workbench,
  request: FreezeRequest,
  service: ServiceDeclaration,
  access: ComponentAccess,
): Promise<PreflightReport> => {
  const { lock } = request.quiesce;
  const report =
    lock === undefined ? await examineHold(bench, request, service, access) : await examineLock(lock, access);
  const { points } = await bench.vault();
  const time = judgeQuiesceTime(request.quiesce, await points.list(request.service));
  const left = await bench.freezes.left(request.service);
  return {
    ...report,
    findings: [...report.findings, time, ...(left === null || left.isKept ? [] : [leftFrozen(left)])],
  };
};

const examineHold = async (
  { freezes }: Workbench,
  request: FreezeRequest,
  service: ServiceDeclaration,
  access: ComponentAccess,
): Promise<PreflightReport> => {
  if (request.quiesce.filesystem === undefined) return freezes.examine(request);
  const there = await frozenComponents(service, access);
  if (!("why" in there)) return freezes.examine({ ...request, paths: there.paths });
  const finding = { ok: false, subject: "filesystem", found: there.why, only: "capture" as const };
  return { findings: [finding], commands: [], recoveryCommands: [], grants: [] };
};

const examineLock = async (lock: CommitLockDeclaration, access: ComponentAccess): Promise<PreflightReport> => {
  const driver = access.driver(lock.in).commitLock;
  if (driver === undefined) throw new RefloatError("config.invalid", `${lock.in} keeps no lock that could be taken`);
  return driver.examine(await access.context(lock.in), { key: lock.advisory, database: lock.database ?? null });
};

const leftFrozen = ({ service, sinceAt, failure }: Frozen): PreflightReport["findings"][number] => ({
  ok: false,
  subject: "thaw",
  found: `${service} may be frozen since ${sinceAt}: ${failure?.reason ?? "its capture and the process that thaws were both killed"}`,
  hint: "let it write again by hand, by the thaw: line; the next capture thaws first",
  nextCommand: `refloat capture ${service}`,
});

const brokenLinks = "a recovery asks this of what it restores: mend the data or the invariant";
const wrongProbe = "a recovery is done only when the probe answers right: mend the service or the probe";
const failedCheck =
  "the live side fails its own check: a capture would mark the point, and a recovery of it would fail; mend the service or the check";

const askChecks = async (
  service: ServiceDeclaration,
  component: string,
  access: ComponentAccess,
): Promise<PreflightReport["findings"]> => {
  const findings: PreflightReport["findings"][number][] = [];
  for (const check of service.components[component]?.checks ?? []) {
    const subject = `check ${check.kind}`;
    const ask = async () => {
      const outcome = await access.runCheck(check, component);
      return found(outcome.subject, outcome, failedCheck);
    };
    findings.push(...(await preflightAnswer(subject, ask)).findings);
  }
  return findings;
};

const found = (subject: string, outcome: CheckOutcome, hint: string): PreflightReport => {
  const ok = outcome.status === "passed";
  return {
    findings: [{ ok, subject, found: outcome.found, ...(ok ? {} : { hint }) }],
    commands: [],
    recoveryCommands: [],
    grants: [],
  };
};

/** A vault that opens may still be read-only, or full: a capture would be the first to find out. */
const askVault = async (bench: Workbench, url: string, service: ServiceDeclaration): Promise<PreflightReport> => {
  const { repository, points } = await bench.vault();
  const count = (await points.list()).length;
  const { hostname } = bench.host;
  const writer = await repository.beginSnapshot({
    hostname,
    time: bench.clock.now(),
    tags: [],
    paths: [`/${service.name}`],
  });
  await writer.abort();
  return {
    findings: [
      {
        ok: true,
        subject: `vault ${url}`,
        found: `opens with the password and can be written; ${count} recovery points; id ${repository.id.slice(0, 8)}`,
      },
    ],
    commands: [],
    recoveryCommands: [],
    grants: [],
  };
};
