/**
 * Holds: a person's word that a point must not expire. Each is a small snapshot with the tags `refloat-hold`, `service=NAME` and `point=ID`, so
 * that stock restic lists them too; it is removed when the hold is released.
 */
import { hostname } from "node:os";
import { z } from "zod";
import type { Clock } from "../../core/ports/environment.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { PointHold, PointHolds } from "../../core/ports/vault-points.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { pointIdSchema } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { taggedValue } from "./snapshot-tags.ts";

const holdTag = "refloat-hold";
const holdPath = "/refloat/hold.json";

const holdSchema = z.object({
  schemaVersion: z.literal(1),
  point: pointIdSchema,
  service: z.string(),
  reason: z.string(),
  by: z.string(),
  at: z.iso.datetime(),
});

export const createPointHolds = (repository: Repository, clock: Clock = systemClock): PointHolds => {
  const holdSnapshots = async (): Promise<readonly SnapshotInfo[]> =>
    (await repository.snapshots()).filter(({ tags }) => tags.includes(holdTag));

  /** A hold whose reason is lost holds all the same. */
  const read = async (info: SnapshotInfo): Promise<PointHold> => {
    const point = pointIdSchema.parse(taggedValue(info.tags, "point"));
    try {
      const content = await (await repository.openSnapshot(info.id)).read(holdPath);
      const { schemaVersion: _version, ...hold } = holdSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
      return { ...hold, point };
    } catch (error) {
      const isDamage = error instanceof RefloatError && ["vault.damaged", "point.unknown"].includes(error.code);
      if (!isDamage && !(error instanceof z.ZodError || error instanceof SyntaxError)) throw error;
      const service = taggedValue(info.tags, "service") ?? "";
      return { point, service, reason: "its reason cannot be read", by: "", at: info.time };
    }
  };

  return {
    list: async () => {
      const holds: PointHold[] = [];
      for (const info of await holdSnapshots()) {
        if (pointIdSchema.safeParse(taggedValue(info.tags, "point")).success) holds.push(await read(info));
      }
      return holds.sort((a, b) => a.at.localeCompare(b.at));
    },

    hold: async ({ id, manifest }, reason, by) => {
      const at = clock.now();
      const content = holdSchema.parse({
        schemaVersion: 1,
        point: id,
        service: manifest.service,
        reason,
        by,
        at: at.toISOString(),
      });
      const writer = await repository.beginSnapshot({
        hostname: hostname(),
        time: at,
        tags: [holdTag, `service=${manifest.service}`, `point=${id}`],
        paths: [holdPath],
      });
      try {
        await writer.bytes(holdPath, Buffer.from(JSON.stringify(content)));
        await writer.commit();
      } finally {
        await writer.abort();
      }
    },

    release: async (point) => {
      const found = (await holdSnapshots()).filter(({ tags }) => taggedValue(tags, "point") === point);
      const [refused] = await repository.removeSnapshots(found.map(({ id }) => id));
      if (refused === undefined) return found.length;
      throw new RefloatError("vault.store-failed", `the hold was not released: ${refused.reason}`, {
        context: { hold: refused.id },
        state: "the point is still held",
        hint: "releasing a hold needs the right to delete in the vault",
      });
    },
  };
};
