/** Incidents of services, kept in the vault as records that are only ever added, like marks. */
import type { SnapshotId } from "../../model/identifiers.ts";
import type { Incident } from "../../model/incident.ts";

export type IncidentStore = {
  /** Open and closed, the newest first. One whose record is damaged is left out. */
  readonly list: (service?: string) => Promise<readonly Incident[]>;
  /** Durable when it resolves. @throws RefloatError vault.* */
  readonly open: (incident: Pick<Incident, "service" | "since" | "reason" | "by">) => Promise<Incident>;
  /** It began at another moment, or for another reason. */
  readonly change: (incident: Incident, to: Pick<Incident, "since" | "reason" | "by">) => Promise<Incident>;
  /** For good: what comes again is another incident. */
  readonly close: (incident: Incident, by: string) => Promise<Incident>;
  /** Ids of all records: what a copy of the vault carries. Oldest first. */
  readonly records: (service: string) => Promise<readonly SnapshotId[]>;
};
