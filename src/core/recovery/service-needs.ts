/** What a service needs of other services, in the order in which they have to be there, and whether each of them works now. */
import { withComponents } from "../components/component-access.ts";
import { liveAnswers } from "../components/live-answers.ts";
import { findService } from "../declaration/find-service.ts";
import { neededServices, serviceEdges } from "../graph/service-graph.ts";
import type { Workbench } from "../ports/workbench.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";

export type ServiceNeed = {
  readonly service: string;
  /** `unknown`: it has neither probe nor checks that could be asked. */
  readonly health: "works" | "ill" | "unknown";
  /** What was asked and found. */
  readonly found: string;
};

/**
 * Each after what it needs itself; the service is not among them.
 * @throws RefloatError service.unknown, and whatever keeps the file from being read
 */
export const askNeeds = async (
  bench: Workbench,
  service: string,
  signal: AbortSignal,
): Promise<readonly ServiceNeed[]> => {
  const { services } = await bench.declaration();
  const { name } = findService(await bench.declaration(), service);
  const needs: ServiceNeed[] = [];
  for (const needed of neededServices(serviceEdges(Object.values(services)), name)) {
    const declared = services[needed];
    if (declared === undefined)
      throw new RefloatError("service.unknown", `${name} needs ${needed}, which is not declared`, {
        hint: "a vault alone knows the services that have points: capture it too",
      });
    needs.push(await askHealth(bench, declared, signal));
  }
  return needs;
};

/** Whether one service works now. @throws RefloatError service.unknown */
export const askNeed = async (bench: Workbench, service: string, signal: AbortSignal): Promise<ServiceNeed> =>
  askHealth(bench, findService(await bench.declaration(), service), signal);

export const askHealth = (bench: Workbench, service: ServiceDeclaration, signal: AbortSignal): Promise<ServiceNeed> =>
  withComponents(
    bench,
    { service, locate: () => null, marker: `refloat/needs/${service.name}`, signal },
    async (access) => {
      const answers = await liveAnswers(service, access, bench.clock, signal);
      const failed = answers.find(({ status }) => status === "failed");
      const asked = answers.filter(({ status }) => status === "passed").length;
      const { name } = service;
      if (failed !== undefined) return { service: name, health: "ill", found: `${failed.subject}: ${failed.found}` };
      return asked === 0
        ? { service: name, health: "unknown", found: "it has no probe and no check that could be asked" }
        : {
            service: name,
            health: "works",
            found: `${asked === 1 ? "what was asked of it is" : `all ${asked} that was asked of it are`} right`,
          };
    },
  );
