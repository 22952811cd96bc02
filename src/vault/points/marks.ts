/** Marks in the vault: each is a record with the tag `refloat-mark`; one that was removed is named by a later record. */
import { z } from "zod";
import type { MarkStore } from "../../core/ports/vault-marks.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { type Mark, markSchema } from "../../model/mark.ts";
import { type ServiceRecord, type ServiceRecordParts, createServiceRecords } from "./service-records.ts";

const named = markSchema
  .omit({ id: true, recordedAt: true })
  .extend({ schemaVersion: z.literal(1), act: z.literal("mark") });
const factSchema = z.discriminatedUnion("act", [
  named,
  z.object({
    schemaVersion: z.literal(1),
    act: z.literal("unmark"),
    service: z.string(),
    mark: z.string(),
    by: z.string(),
  }),
]);
type Fact = z.infer<typeof factSchema>;

const markOf = (
  { id, recordedAt }: Pick<ServiceRecord<Fact>, "id" | "recordedAt">,
  { service, name, at, by, aligned }: z.infer<typeof named>,
): Mark => ({ id, service, name, at, by, recordedAt, ...(aligned === undefined ? {} : { aligned }) });

export const createMarks = (parts: ServiceRecordParts): MarkStore => {
  const records = createServiceRecords<Fact>(parts, "mark", factSchema);
  return {
    list: async (service) => {
      const all = await records.list(service);
      const removed = new Set(all.flatMap(({ fact }) => (fact.act === "unmark" ? [fact.mark] : [])));
      return all
        .flatMap((record) => (record.fact.act === "mark" ? [markOf(record, record.fact)] : []))
        .filter(({ id }) => !removed.has(id))
        .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.recordedAt.localeCompare(a.recordedAt));
    },

    add: async (mark) => {
      const fact = named.parse({ schemaVersion: 1, act: "mark", ...mark });
      return markOf(await records.write(fact), fact);
    },

    remove: async ({ id, service }, by) => {
      await records.write({ schemaVersion: 1, act: "unmark", service, mark: id, by });
    },

    records: async (service): Promise<readonly SnapshotId[]> => records.ids(service),
  };
};
