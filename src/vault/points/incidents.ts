/** Incidents in the vault: the first record of one opens it, later ones name it and change or close it. Their tag is `refloat-incident`. */
import { z } from "zod";
import type { IncidentStore } from "../../core/ports/vault-incidents.ts";
import { type Incident, incidentSchema } from "../../model/incident.ts";
import { type ServiceRecord, type ServiceRecordParts, createServiceRecords } from "./service-records.ts";

const said = incidentSchema
  .pick({ service: true, since: true, reason: true, by: true })
  .extend({ schemaVersion: z.literal(1) });
const factSchema = z.discriminatedUnion("act", [
  said.extend({ act: z.literal("open") }),
  said.extend({ act: z.literal("change"), incident: z.string() }),
  z.object({
    schemaVersion: z.literal(1),
    act: z.literal("close"),
    service: z.string(),
    incident: z.string(),
    by: z.string(),
  }),
]);
type Fact = z.infer<typeof factSchema>;

/** @param records oldest first: of two changes the later one counts, and nothing opens again what was closed */
const incidentsOf = (records: readonly ServiceRecord<Fact>[]): readonly Incident[] => {
  const incidents = new Map<string, Incident>();
  const openings = records.filter(({ fact }) => fact.act === "open");
  // Clocks of two machines may disagree: what names an incident comes after it, whatever its time says.
  for (const { id, recordedAt, fact } of [...openings, ...records.filter(({ fact: { act } }) => act !== "open")]) {
    if (fact.act === "open") {
      const { service, since, reason, by } = fact;
      incidents.set(id, { id, service, since, reason, by, openedAt: recordedAt, closedAt: null, closedBy: null });
      continue;
    }
    const known = incidents.get(fact.incident);
    if (known === undefined) continue;
    incidents.set(
      known.id,
      fact.act === "change"
        ? { ...known, since: fact.since, reason: fact.reason }
        : { ...known, closedAt: known.closedAt ?? recordedAt, closedBy: known.closedBy ?? fact.by },
    );
  }
  return [...incidents.values()].toSorted((a, b) => Date.parse(b.openedAt) - Date.parse(a.openedAt));
};

export const createIncidents = (parts: ServiceRecordParts): IncidentStore => {
  const records = createServiceRecords<Fact>(parts, "incident", factSchema);
  return {
    list: async (service) => incidentsOf(await records.list(service)),

    open: async (incident) => {
      const { id, recordedAt } = await records.write({ schemaVersion: 1, act: "open", ...incident });
      return { id, ...incident, openedAt: recordedAt, closedAt: null, closedBy: null };
    },

    change: async (incident, { since, reason, by }) => {
      const { id, service } = incident;
      await records.write({ schemaVersion: 1, act: "change", service, incident: id, since, reason, by });
      return { ...incident, since, reason };
    },

    close: async (incident, by) => {
      const { id, service } = incident;
      const { recordedAt } = await records.write({ schemaVersion: 1, act: "close", service, incident: id, by });
      return { ...incident, closedAt: recordedAt, closedBy: by };
    },

    records: async (service) => records.ids(service),
  };
};
