/**
 * Points that left the vault on purpose. Recorded in the vault before they go, in a small snapshot with the tag `refloat-departed`, so that
 * an absence that nobody recorded stands out.
 */
import { hostname } from "node:os";
import { z } from "zod";
import type { Clock } from "../../core/ports/environment.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { Departure, PointDepartures } from "../../core/ports/vault-points.ts";
import { type PointId, type SnapshotId, pointIdSchema } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { systemClock } from "../../platform/system-clock.ts";

const departedTag = "refloat-departed";
const departuresPath = "/refloat/departed.json";

const departuresSchema = z.object({
  schemaVersion: z.literal(1),
  departed: z.array(
    z.object({
      point: pointIdSchema,
      service: z.string(),
      reason: z.string(),
      recordedAt: z.iso.datetime(),
      /** It was about to leave, and has stayed. */
      stayed: z.boolean().optional(),
    }),
  ),
});
type Recorded = z.infer<typeof departuresSchema>["departed"][number];

/** What was said last counts; at the same instant, that it has stayed. */
const isLater = (one: Recorded, other: Recorded | undefined): boolean =>
  other === undefined ||
  one.recordedAt > other.recordedAt ||
  (one.recordedAt === other.recordedAt && one.stayed === true);

/** So many records are joined: each is read whenever departures are asked for. */
const joinedAt = 32;

export const createPointDepartures = (repository: Repository, clock: Clock = systemClock): PointDepartures => {
  const write = async (points: readonly Omit<Recorded, "recordedAt">[]): Promise<void> => {
    const recordedAt = clock.now().toISOString();
    await store(points.map((point) => ({ ...point, recordedAt })));
  };

  const store = async (departed: readonly Recorded[]): Promise<void> => {
    if (departed.length === 0) return;
    const content = { schemaVersion: 1, departed };
    const writer = await repository.beginSnapshot({
      hostname: hostname(),
      time: clock.now(),
      tags: [departedTag],
      paths: [departuresPath],
    });
    try {
      await writer.bytes(departuresPath, Buffer.from(JSON.stringify(departuresSchema.parse(content))));
      await writer.commit();
    } finally {
      await writer.abort();
    }
  };

  /** What was said last of each point, and the snapshots that could be read. */
  const read = async () => {
    const departed = new Map<PointId, Recorded>();
    const sources: SnapshotId[] = [];
    for (const { id, tags } of await repository.snapshots()) {
      if (!tags.includes(departedTag)) continue;
      try {
        const content = await (await repository.openSnapshot(id)).read(departuresPath);
        const { departed: all } = departuresSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
        sources.push(id);
        for (const one of all) if (isLater(one, departed.get(one.point))) departed.set(one.point, one);
      } catch (error) {
        // A record that is lost makes its points stand out, which is the safe side.
        if (error instanceof z.ZodError || error instanceof SyntaxError) continue;
        if (!(error instanceof RefloatError && ["vault.damaged", "point.unknown"].includes(error.code))) throw error;
      }
    }
    return { departed, sources };
  };

  const list = async (): Promise<ReadonlyMap<PointId, Departure>> =>
    new Map([...(await read()).departed].filter(([, { stayed }]) => stayed !== true));

  return {
    record: (points) => write(points),
    takeBack: (points) => write(points.map((point) => ({ ...point, stayed: true }))),
    list,
    compact: async () => {
      const { departed, sources } = await read();
      if (sources.length < joinedAt) return 0;
      await store([...departed.values()]);
      // Only now: killed before, all is there twice and says the same.
      await repository.removeSnapshots(sources);
      return sources.length;
    },
  };
};
