/** incident: opens, changes, closes and lists what a service has been wrong by, in the vault. */
import { audited } from "../core/audit/audited.ts";
import { findService } from "../core/declaration/find-service.ts";
import { readMoment } from "../core/points/named-moment.ts";
import { openIncident } from "../core/points/open-incident.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { Incident } from "../model/incident.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";

/** Open and closed, the newest first. @throws RefloatError service.unknown */
export const listIncidents = async (bench: Workbench, service: string | null): Promise<readonly Incident[]> => {
  if (service !== null) findService(await bench.declaration(), service);
  return (await bench.vault()).incidents.list(service ?? undefined);
};

export type OpenRequest = {
  readonly service: string;
  /** As typed: a time, or what a mark is called. Null leaves that of an open one as it is. */
  readonly since: string | null;
  readonly reason: string | null;
  readonly by: string;
};

export type IncidentChange = { readonly act: "opened" | "changed" | "closed"; readonly incident: Incident };

/** Opens one, or changes the one that is open. @throws RefloatError service.unknown, usage, time.unclear, mark.unknown, vault.* */
export const openOrChange = async (bench: Workbench, request: OpenRequest): Promise<IncidentChange> => {
  const { name: service } = findService(await bench.declaration(), request.service);
  const { incidents, marks } = await bench.vault();
  const known = openIncident(await incidents.list(service));
  const since =
    request.since === null
      ? (known?.since ?? null)
      : readMoment(
          request.since,
          { now: bench.clock.now(), timeZone: bench.host.timeZone },
          await marks.list(service),
          service,
        );
  if (since === null) {
    throw new RefloatError("usage", `no incident of ${service} is open, and --since does not say when one began`, {
      state: "nothing was opened",
      hint: "the moment of the first wrong answer, or what a mark is called: points from before it are then what last means",
      nextCommand: `refloat incident open ${service} --since "20 minutes ago"`,
    });
  }
  const reason = request.reason ?? known?.reason ?? null;
  const { by } = request;
  const detail = { since, reason, ...(known === null ? {} : { incident: known.id, was: known.since }) };
  return audited(
    bench.audit,
    { action: "incident-open", service, detail },
    async (): Promise<IncidentChange> =>
      known === null
        ? { act: "opened", incident: await incidents.open({ service, since, reason, by }) }
        : { act: "changed", incident: await incidents.change(known, { since, reason, by }) },
    ({ incident: { id } }) => ({ detail: { incident: id } }),
  );
};

/** Closes all that are open of the service. @throws RefloatError service.unknown, incident.none, vault.* */
export const closeIncident = async (
  bench: Workbench,
  { service: typed, by }: Pick<OpenRequest, "service" | "by">,
): Promise<IncidentChange> => {
  const { name: service } = findService(await bench.declaration(), typed);
  const { incidents } = await bench.vault();
  const open = (await incidents.list(service)).filter(({ closedAt }) => closedAt === null);
  const known = openIncident(open);
  if (known === null) {
    throw new RefloatError("incident.none", `no incident of ${service} is open`, {
      state: "nothing was changed",
      nextCommand: `refloat incident list ${service}`,
    });
  }
  const detail = { incident: known.id, since: known.since };
  return audited(
    bench.audit,
    { action: "incident-close", service, detail },
    async (): Promise<IncidentChange> => {
      for (const one of open) if (one.id !== known.id) await incidents.close(one, by);
      return { act: "closed", incident: await incidents.close(known, by) };
    },
    () => ({ detail: {} }),
  );
};

/**
 * A recovery with a known incident implies one: what is needed from before it must not expire meanwhile. A vault that takes no record never stops
 * a recovery.
 * @param since ISO
 * @returns the open incident, or why there is none
 */
export const implyIncident = async (
  bench: Workbench,
  { service, since, by }: { readonly service: string; readonly since: string; readonly by: string },
): Promise<{ readonly incident: Incident | null; readonly problem: string | null }> => {
  try {
    const known = openIncident(await (await bench.vault()).incidents.list(service));
    if (known !== null && Date.parse(known.since) <= Date.parse(since)) return { incident: known, problem: null };
    const { incident } = await openOrChange(bench, { service, since, reason: known?.reason ?? null, by });
    return { incident, problem: null };
  } catch (error) {
    const { code, message } = toRefloatError(error);
    if (code === "bug" || code === "interrupted") throw error;
    return { incident: null, problem: message };
  }
};
