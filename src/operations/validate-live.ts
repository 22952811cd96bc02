/**
 * validate --live: asks every source, credential, program, traffic director and the vault whether they would answer a capture
 * and a recovery now, and says which commands and rights those will use. Changes nothing.
 */
import { withComponents } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import type { PreflightReport } from "../core/ports/driver.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { toRefloatError } from "../model/refloat-error.ts";

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
      report: await answer("vault", () => askVault(bench, declaration.vault.url)),
    });
    subjects.push(...(await askService(bench, service, signal)));
  }
  return { ok: subjects.every(({ report }) => report.findings.every(({ ok }) => ok)), subjects };
};

const askService = (
  bench: Workbench,
  service: ServiceDeclaration,
  signal: AbortSignal,
): Promise<readonly LiveSubject[]> =>
  withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/validate/${service.name}`, signal },
    async (access) => {
      const subjects: LiveSubject[] = [];
      for (const name of Object.keys(service.components)) {
        const report = await answer(name, async () => access.driver(name).preflight(await access.context(name)));
        subjects.push({ service: service.name, subject: name, report });
      }
      for (const entry of service.cutover) {
        const subject = `cutover ${entry.kind}`;
        const context = {
          service: service.name,
          bind: access.bind(null),
          clock: bench.clock,
          log: bench.log,
          signal,
          marker: `refloat/validate/${service.name}`,
        };
        const driver = bench.registry.traffic.get(entry.kind);
        if (driver === undefined) continue;
        subjects.push({
          service: service.name,
          subject,
          report: await answer(subject, () => driver.preflight(context, entry.options)),
        });
      }
      return subjects;
    },
  );

const askVault = async (bench: Workbench, url: string): Promise<PreflightReport> => {
  const { repository, points } = await bench.vault();
  const count = (await points.list()).length;
  return {
    findings: [
      {
        ok: true,
        subject: `vault ${url}`,
        found: `opens with the password; ${count} recovery points; id ${repository.id.slice(0, 8)}`,
      },
    ],
    commands: [],
    recoveryCommands: [],
    grants: [],
  };
};

/** A subject that cannot even be asked is a finding like any other: the rest is still asked. */
const answer = async (subject: string, ask: () => Promise<PreflightReport>): Promise<PreflightReport> => {
  try {
    return await ask();
  } catch (error) {
    const { code, message, hint, nextCommand } = toRefloatError(error);
    if (code === "bug") throw error;
    const advice = { ...(hint === undefined ? {} : { hint }), ...(nextCommand === undefined ? {} : { nextCommand }) };
    return {
      findings: [{ ok: false, subject, found: message, ...advice }],
      commands: [],
      recoveryCommands: [],
      grants: [],
    };
  }
};
