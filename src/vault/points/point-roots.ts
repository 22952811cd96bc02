/**
 * Makes and checks the roots of points. A root proves that a point is what was committed by somebody who could open the vault: against
 * whoever holds only the storage, not against another writer, who has the same key.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import canonicalize from "canonicalize";
import { type RootedPoint, type RootVerdict, chainHeads } from "../../core/points/root-chain.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { pointIdSchema } from "../../model/identifiers.ts";
import type { PointManifest } from "../../model/manifest.ts";
import { type PointRoot, type RootLink, pointRootSchema } from "../../model/point-root.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { copyFacts } from "./copied-points.ts";
import { taggedValue } from "./snapshot-tags.ts";

export const rootPath = "/refloat/root.json";

const sealPurpose = "refloat point root";
/** Of each service so many of the newest points are looked at for those that none names: captures of one service rarely overlap. */
const lookedAt = 4;

type RootContent = Omit<PointRoot, "root" | "seal">;

const digestOf = (content: RootContent): string =>
  createHash("sha256")
    .update(canonicalize(content) ?? "")
    .digest("hex");

const sealOf = (repository: Repository, root: string): Uint8Array =>
  repository.authenticate(sealPurpose, Buffer.from(root, "hex"));

/** @param root that was proven @returns hex */
export const sealRoot = (repository: Repository, root: string): string =>
  Buffer.from(sealOf(repository, root)).toString("hex");

export const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** @param heads the points that the new one stands after */
export const encodeRoot = (
  repository: Repository,
  manifest: PointManifest,
  stored: Uint8Array,
  treeOf: (snapshot: string) => string | undefined,
  heads: readonly RootLink[],
): Uint8Array => {
  const members = Object.values(manifest.components)
    .map(({ name, snapshot }) => ({ component: name, snapshot, tree: treeOf(snapshot) ?? "" }))
    .sort((a, b) => (a.component < b.component ? -1 : 1));
  const content: RootContent = {
    schemaVersion: 1,
    vault: repository.id,
    service: manifest.service,
    manifest: sha256(stored),
    members,
    after: [...heads],
  };
  const root = digestOf(content);
  const seal = sealRoot(repository, root);
  return Buffer.from(canonicalize(pointRootSchema.parse({ ...content, root, seal })) ?? "");
};

const broken = (reason: string): RootVerdict => ({ status: "broken", reason });

const judge = (
  repository: Repository,
  root: PointRoot,
  /** Of a copy, made by whoever copied it and had proven it before. */
  copySeal: string | undefined,
  manifest: Uint8Array,
  treeOf: (snapshot: string) => string | undefined,
): RootVerdict => {
  const { root: digest, seal, ...content } = root;
  if (digestOf(content) !== digest) return broken("its root is not the hash of what it says");
  if (root.vault !== repository.id && copySeal === undefined) return { status: "foreign", vault: root.vault };
  const own = Buffer.from(root.vault === repository.id ? seal : (copySeal ?? ""), "hex");
  const wanted = sealOf(repository, digest);
  if (own.length !== wanted.length || !timingSafeEqual(wanted, own)) return broken("the seal of its root is broken");
  if (sha256(manifest) !== root.manifest) return broken("its manifest is not the one that its root names");
  for (const { component, snapshot, tree } of root.members) {
    const found = treeOf(snapshot);
    if (found !== undefined && found !== tree) return broken(`${component} holds another tree than its root names`);
  }
  return { status: "proven", root };
};

/** Reads the root of one point and holds it against what is stored. Damage is a verdict, not an error. */
const readRoot = async (
  repository: Repository,
  info: SnapshotInfo,
  manifestPath: string,
  treeOf: (snapshot: string) => string | undefined,
): Promise<RootedPoint> => {
  const point = pointIdSchema.parse(info.id);
  const service = taggedValue(info.tags, "service") ?? "";
  const { seal, without } = copyFacts(info);
  try {
    const reader = await repository.openSnapshot(info.id);
    if ((await reader.stat(rootPath)) === undefined) return { point, service, verdict: { status: "none" } };
    const text = Buffer.from(await reader.read(rootPath)).toString("utf8");
    const parsed = pointRootSchema.safeParse(JSON.parse(text));
    const verdict = parsed.success
      ? judge(repository, parsed.data, seal, await reader.read(manifestPath), treeOf)
      : broken("its root is not of a form known here");
    return { point, service, verdict, without };
  } catch (error) {
    if (error instanceof SyntaxError) return { point, service, verdict: broken("its root is not of the form") };
    if (!(error instanceof RefloatError && ["vault.damaged", "point.unknown"].includes(error.code))) throw error;
    return { point, service, verdict: broken(`its root cannot be read: ${error.message}`) };
  }
};

export class PointRoots {
  readonly #repository: Repository;
  readonly #manifestPath: string;
  /** Points never change, so what was proven is kept. */
  readonly #proven = new Map<string, RootedPoint>();

  constructor(repository: Repository, manifestPath: string) {
    this.#repository = repository;
    this.#manifestPath = manifestPath;
  }

  /** @param all snapshots of the vault; `points` those of them that are points */
  async read(points: readonly SnapshotInfo[], all: readonly SnapshotInfo[]): Promise<readonly RootedPoint[]> {
    const trees = new Map<string, string>(all.map(({ id, tree }) => [id, tree]));
    const rooted: RootedPoint[] = [];
    for (const info of points) {
      const point =
        this.#proven.get(info.id) ??
        (await readRoot(this.#repository, info, this.#manifestPath, (snapshot) => trees.get(snapshot)));
      if (point.verdict.status === "proven") this.#proven.set(info.id, point);
      rooted.push(point);
    }
    return rooted;
  }

  /** What a new point stands after. */
  async heads(points: readonly SnapshotInfo[], all: readonly SnapshotInfo[]): Promise<readonly RootLink[]> {
    const byService = Map.groupBy(points, ({ tags }) => taggedValue(tags, "service") ?? "");
    const newest = [...byService.values()].flatMap((ofService) =>
      ofService.sort((a, b) => Date.parse(b.time) - Date.parse(a.time)).slice(0, lookedAt),
    );
    return chainHeads(await this.read(newest, all))
      .map(({ point, service, verdict }) => ({
        point,
        service,
        root: verdict.status === "proven" ? verdict.root.root : null,
      }))
      .sort((a, b) => (a.point < b.point ? -1 : 1));
  }
}
