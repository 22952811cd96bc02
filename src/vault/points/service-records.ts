/**
 * Small facts about a service beside its points: each is a record with a tag of its kind and `service=NAME`, so that stock restic lists them
 * too. They are only ever added, and locked like what is taken of the service at that moment; what takes one back is another record.
 */
import { hostname } from "node:os";
import type { z } from "zod";
import type { Clock } from "../../core/ports/environment.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { VaultLock } from "../../core/ports/vault-locks.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { taggedValue } from "./snapshot-tags.ts";

export type ServiceRecord<Fact> = { readonly id: SnapshotId; readonly recordedAt: string; readonly fact: Fact };

/** @param kind `mark`: the tag is `refloat-mark` @param lockFor what a record of this service is locked with */
export const createServiceRecords = <Fact extends { readonly service: string }>(
  { repository, clock, lockFor }: ServiceRecordParts,
  kind: string,
  schema: z.ZodType<Fact>,
) => {
  const tag = `refloat-${kind}`;

  const snapshots = async (service?: string): Promise<readonly SnapshotInfo[]> =>
    (await repository.snapshots())
      .filter(({ tags }) => tags.includes(tag) && (service === undefined || taggedValue(tags, "service") === service))
      .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time) || a.id.localeCompare(b.id));

  const factOf = ({ record }: SnapshotInfo): Fact | null => {
    try {
      return schema.parse(JSON.parse(record ?? ""));
    } catch {
      // Of a newer form, or damaged: it says nothing here, and must not keep the others from being read.
      return null;
    }
  };

  return {
    /** Oldest first. */
    list: async (service?: string): Promise<readonly ServiceRecord<Fact>[]> =>
      (await snapshots(service)).flatMap((info) => {
        const fact = factOf(info);
        return fact === null ? [] : [{ id: info.id, recordedAt: new Date(info.time).toISOString(), fact }];
      }),

    ids: async (service: string): Promise<readonly SnapshotId[]> => (await snapshots(service)).map(({ id }) => id),

    write: async (fact: Fact): Promise<ServiceRecord<Fact>> => {
      const time = clock.now();
      const lock = await lockFor(fact.service);
      const { id } = await repository.writeRecord({
        hostname: hostname(),
        time,
        tags: [tag, `service=${fact.service}`],
        // Of its own, so that restic's usual policy, which groups by path, keeps every one.
        path: `/refloat/${kind}/${fact.service}/${time.toISOString()}`,
        text: JSON.stringify(schema.parse(fact)),
        ...(lock === null ? {} : { lock }),
      });
      return { id, recordedAt: time.toISOString(), fact };
    },
  };
};

export type ServiceRecordParts = {
  readonly repository: Repository;
  readonly clock: Clock;
  readonly lockFor: (service: string) => Promise<VaultLock | null>;
};
