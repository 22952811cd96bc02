/** Asks drivers of components and of traffic whether they would answer; one that cannot even be asked is a finding like any other. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { toRefloatError } from "../../model/refloat-error.ts";
import type { PreflightReport } from "../ports/driver.ts";
import type { ComponentParts, Workbench } from "../ports/workbench.ts";
import type { ComponentAccess } from "./component-access.ts";

/** A subject that fails is told, and the rest is still asked. */
export const preflightAnswer = async (
  subject: string,
  ask: () => Promise<PreflightReport>,
): Promise<PreflightReport> => {
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

export const preflightComponent = (access: ComponentAccess, name: string): Promise<PreflightReport> =>
  preflightAnswer(name, async () => access.driver(name).preflight(await access.context(name)));

export const preflightProvision = (access: ComponentAccess, name: string): Promise<PreflightReport> =>
  preflightAnswer(name, async () => {
    const { driver, context } = await access.provision(name);
    return driver.preflight(context);
  });

export type CutoverAsking = {
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly marker: string;
  readonly signal: AbortSignal;
};

/** One report for each entry of `cutover:`, in its order. */
export const preflightCutovers = async (
  { registry, clock, log }: Pick<ComponentParts, "registry" | "clock" | "log">,
  { service, access, marker, signal }: CutoverAsking,
): Promise<readonly { readonly subject: string; readonly report: PreflightReport }[]> => {
  const context = { service: service.name, bind: access.bind(null), clock, log, signal, marker };
  const reports: { readonly subject: string; readonly report: PreflightReport }[] = [];
  for (const entry of service.cutover) {
    const subject = `cutover ${entry.kind}`;
    const driver = registry.traffic.get(entry.kind);
    if (driver === undefined) continue;
    reports.push({ subject, report: await preflightAnswer(subject, () => driver.preflight(context, entry.options)) });
  }
  return reports;
};

/** One report for each entry of `fence:`, in its order. Fences nothing off. */
export const preflightFences = async (
  { examineFence }: Pick<Workbench, "examineFence">,
  { service, access, signal }: Omit<CutoverAsking, "marker">,
): Promise<readonly { readonly subject: string; readonly report: PreflightReport }[]> => {
  const reports: { readonly subject: string; readonly report: PreflightReport }[] = [];
  for (const fence of service.fence ?? []) {
    const subject = `fence ${fence.name}`;
    const request = { service: service.name, fence, bind: access.bind(null), signal };
    reports.push({ subject, report: await preflightAnswer(subject, () => examineFence(request)) });
  }
  return reports;
};
