/**
 * Recovery points over a repository: a point is the snapshot that holds its manifest, so it exists when, and only when, that snapshot
 * does. What a point has lost is computed from the list of snapshots, never remembered.
 */
import canonicalize from "canonicalize";
import { contradictedPoints, gonePoints } from "../../core/points/root-chain.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { PointStore } from "../../core/ports/vault-points.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { declaredLock } from "../../core/points/point-locks.ts";
import { type PointId, pointIdSchema } from "../../model/identifiers.ts";
import { type PointManifest, type RecoveryPoint, pointManifestSchema } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { copyFacts } from "./copied-points.ts";
import { createPointDepartures } from "./departures.ts";
import { PointRoots, encodeRoot, rootPath } from "./point-roots.ts";
import { receivePoint } from "./receive-point.ts";
import { taggedValue } from "./snapshot-tags.ts";

const pointTag = "refloat-point";
const manifestPath = "/refloat/point.json";

const encode = (manifest: PointManifest): Uint8Array => {
  const text = canonicalize(pointManifestSchema.parse(manifest));
  if (text === undefined) throw new RefloatError("bug", "a manifest has no canonical form");
  return Buffer.from(text);
};

const decode = (id: string, content: Uint8Array): PointManifest => {
  try {
    return pointManifestSchema.parse(JSON.parse(Buffer.from(content).toString("utf8")));
  } catch (error) {
    throw new RefloatError("point.damaged", `the manifest of point ${id.slice(0, 8)} is not of a form known here`, {
      cause: error,
      context: { point: id },
      hint: "it may have been written by a newer version",
    });
  }
};

const missingIn = (manifest: PointManifest, present: ReadonlySet<string>): readonly string[] =>
  Object.values(manifest.components)
    .filter(({ snapshot }) => !present.has(snapshot))
    .map(({ name }) => name);

const lockOf = (manifest: PointManifest): Pick<Parameters<Repository["beginSnapshot"]>[0], "lock"> => {
  const lock = declaredLock(manifest);
  return lock === null
    ? {}
    : { lock: { ...lock, members: Object.values(manifest.components).map(({ snapshot }) => snapshot) } };
};

/** One rotten point must not keep the others from being recovered. */
const unlessUnreadable = async <Value>(
  reading: Promise<Value>,
): Promise<
  { readonly readable: true; readonly value: Value } | { readonly readable: false; readonly reason: string }
> => {
  try {
    return { readable: true, value: await reading };
  } catch (error) {
    if (!(error instanceof RefloatError && (error.code === "point.damaged" || error.code === "vault.damaged")))
      throw error;
    return { readable: false, reason: error.message };
  }
};

export const createPointStore = (repository: Repository): PointStore => {
  /** Manifests never change, so one that was read is kept. */
  const manifests = new Map<string, PointManifest>();
  const roots = new PointRoots(repository, manifestPath);

  const manifestOf = async (id: string): Promise<PointManifest> => {
    const known = manifests.get(id);
    if (known !== undefined) return known;
    const reader = await repository.openSnapshot(id);
    const manifest = decode(id, await reader.read(manifestPath));
    manifests.set(id, manifest);
    return manifest;
  };

  const pointOf = async (info: SnapshotInfo, present: ReadonlySet<string>): Promise<RecoveryPoint> => {
    const manifest = await manifestOf(info.id);
    const { madeIn } = copyFacts(info);
    return {
      id: pointIdSchema.parse(info.id),
      manifest,
      missing: missingIn(manifest, present),
      ...(madeIn === undefined || madeIn === repository.id ? {} : { madeIn }),
    };
  };

  const pointSnapshots = async () => {
    const snapshots = await repository.snapshots();
    return {
      all: snapshots,
      present: new Set<string>(snapshots.map(({ id }) => id)),
      points: snapshots.filter(({ tags }) => tags.includes(pointTag)),
    };
  };

  return {
    list: async (service) => {
      const { present, points } = await pointSnapshots();
      const wanted = points.filter(({ tags }) => service === undefined || taggedValue(tags, "service") === service);
      const found: RecoveryPoint[] = [];
      for (const info of wanted) {
        const point = await unlessUnreadable(pointOf(info, present));
        if (point.readable) found.push(point.value);
      }
      return found.sort(
        (a, b) =>
          b.manifest.consistentAt.localeCompare(a.manifest.consistentAt) ||
          b.manifest.finishedAt.localeCompare(a.manifest.finishedAt),
      );
    },

    unreadable: async () => {
      const { points, present } = await pointSnapshots();
      const found = [...(await repository.damagedSnapshots())];
      for (const info of points) {
        const point = await unlessUnreadable(pointOf(info, present));
        if (!point.readable) found.push({ id: info.id, reason: point.reason });
      }
      return found;
    },

    read: async (id) => {
      const { present, points } = await pointSnapshots();
      const [only, second] = points.filter((info) => id !== "" && info.id.startsWith(id));
      if (only === undefined) {
        throw new RefloatError("point.unknown", `the vault has no recovery point ${id}`, {
          context: { id },
          nextCommand: "refloat points",
        });
      }
      if (second !== undefined) {
        throw new RefloatError("point.ambiguous", `more than one recovery point begins with ${id}`, {
          context: { id },
        });
      }
      return pointOf(only, present);
    },

    chain: async () => {
      const { points, all, present } = await pointSnapshots();
      // One that cannot be read is damaged, not gone.
      for (const { id } of await repository.damagedSnapshots()) present.add(id);
      const rooted = await roots.read(points, all);
      const contradicted = contradictedPoints(rooted);
      const judged = rooted.map((one) => {
        const namedBy = contradicted.get(one.point);
        if (namedBy === undefined) return one;
        const reason = `point ${namedBy.slice(0, 8)} was made after a point of this id with another root`;
        return { ...one, verdict: { status: "broken", reason } as const };
      });
      const gone = gonePoints(rooted, (point) => present.has(point));
      if (gone.length === 0) return { points: judged, gone };
      const departed = await createPointDepartures(repository).list();
      return { points: judged, gone: gone.filter(({ point }) => !departed.has(point)) };
    },

    receive: receivePoint(repository),

    commit: async (manifest): Promise<PointId> => {
      const { points, all, present } = await pointSnapshots();
      const missing = missingIn(manifest, present);
      if (missing.length > 0) {
        throw new RefloatError(
          "point.damaged",
          `no point was made: the snapshot of ${missing.join(", ")} is not in the vault`,
          { context: { missing: [...missing] }, state: "what was captured stays in the vault, without a point" },
        );
      }
      const writer = await repository.beginSnapshot({
        hostname: manifest.host.hostname,
        time: new Date(manifest.finishedAt),
        tags: [pointTag, `service=${manifest.service}`, ...(manifest.tags ?? []).map((tag) => `tag=${tag}`)],
        paths: [manifestPath],
        ...lockOf(manifest),
      });
      try {
        const stored = encode(manifest);
        const trees = new Map<string, string>(all.map(({ id, tree }) => [id, tree]));
        const heads = await roots.heads(points, all);
        await writer.bytes(manifestPath, stored);
        await writer.bytes(
          rootPath,
          encodeRoot(repository, manifest, stored, (id) => trees.get(id), heads),
        );
        const { id } = await writer.commit();
        return pointIdSchema.parse(id);
      } finally {
        await writer.abort();
      }
    },
  };
};
