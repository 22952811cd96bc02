/**
 * Instances of components whose data is a tree: built under a partial name beside the stable path, given their name as the last act,
 * recognised by a marker file that stands beside and never inside. Which driver they belong to is not known here.
 */
import { lstat, readFile, rename } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { z } from "zod";
import type { Footprint, InstanceTarget, Presence } from "../core/ports/driver.ts";
import type { Clock } from "../core/ports/environment.ts";
import type { ExtractReport, SnapshotReader, VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { syncDirectory } from "./atomic-file.ts";
import { readBootId } from "./boot-id.ts";
import { exchangeRecordPath, lookAt, markerPath, partialPath } from "./path-names.ts";
import { removeSiblingRecord, writeSiblingRecord } from "./sibling-record.ts";
import { findParked } from "./stable-path.ts";
import { pathExists, removeTree, writingOut } from "./tree-files.ts";

const markerSchema = z.object({
  runUid: z.string(),
  run: z.number(),
  /** What people call it: the folder that the release had when it was captured. */
  label: z.string(),
  /** Inode of the whole tree, once it is whole; it stays the same wherever the tree is renamed to within its file system. */
  inode: z.number().nullable(),
  /** The start of the machine in which it was restored. */
  bootId: z.string(),
});
type Marker = z.infer<typeof markerSchema>;

const readMarker = async (instance: string): Promise<Marker | null> => {
  let text: string;
  try {
    text = await readFile(markerPath(instance), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return markerSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new RefloatError("instance.exists", `${markerPath(instance)} is not a marker that Refloat wrote`, {
      cause: error,
    });
  }
};

/** The label that an instance was restored with; null for what no recovery made or what has been committed. */
export const instanceLabel = async (instance: string): Promise<string | null> =>
  (await readMarker(instance))?.label ?? null;

const taken = (path: string, why: string): RefloatError =>
  new RefloatError("instance.exists", `${path} is there already, and ${why}`, {
    hint: "move it away by hand if nobody needs it, then resume",
  });

/** Ours, someone else's, or nobody's. @throws RefloatError instance.exists */
const ownMarker = async (target: InstanceTarget): Promise<Marker | null> => {
  const marker = await readMarker(target.name);
  if (marker !== null && marker.runUid !== target.runUid)
    throw taken(target.name, `another installation's run ${marker.run} made it`);
  if (marker !== null) return marker;
  for (const path of [target.name, partialPath(target.name)])
    if (await pathExists(path)) throw taken(path, "this run did not make it");
  return null;
};

/** Does the instance stand behind the stable name? */
const serves = async (stable: string, target: InstanceTarget, marker: Marker): Promise<boolean> => {
  const live = await lookAt(stable);
  if (live.kind === "link") return live.target === target.name;
  return live.kind === "object" && live.inode === marker.inode;
};

export type InstancePlace =
  | { readonly presence: "absent" }
  /** `path`: where it has a whole name already. */
  | { readonly presence: "partial"; readonly path?: string }
  | { readonly presence: "done"; readonly path: string; readonly serves: boolean };

/** Where the instance is now: under its own name, behind the stable name, or parked by an interrupted switch. */
export const locateInstance = async (stable: string, target: InstanceTarget): Promise<InstancePlace> => {
  const marker = await ownMarker(target);
  if (marker === null) return { presence: "absent" };
  if (marker.inode === null) {
    if (await pathExists(target.name)) throw taken(target.name, "this run did not finish it");
    return { presence: "partial" };
  }
  if (await serves(stable, target, marker)) return { presence: "done", path: stable, serves: true };
  // Nobody has waited for the disk: after a power failure its files may be there without their content.
  const mayHaveLostContent = marker.bootId !== readBootId();
  for (const path of [target.name, await findParked(stable, target.name)]) {
    if (path === null) continue;
    const found = await lookAt(path);
    if (found.kind === "object" && found.inode === marker.inode)
      return mayHaveLostContent ? { presence: "partial", path } : { presence: "done", path, serves: false };
    if (found.kind !== "absent") throw taken(path, "it is not what this run restored");
  }
  return { presence: "partial" };
};

export const inspectInstance = async (stable: string, target: InstanceTarget): Promise<Presence> =>
  (await locateInstance(stable, target)).presence;

/** Small files fill whole blocks, so each entry may take one more than its bytes. */
const blockBytes = 4_096;

export const footprintOf = (instance: string, captured: CapturedComponent): readonly Footprint[] => {
  const entries = Object.values(captured.facts.counts).reduce((sum, count) => sum + count, 0);
  return [{ path: dirname(instance), bytes: captured.facts.sizeBytes + entries * blockBytes }];
};

export type RestoreRequest = {
  readonly target: InstanceTarget;
  readonly source: SnapshotReader;
  readonly captured: CapturedComponent;
  readonly label: string;
  readonly signal: AbortSignal;
  readonly progress: VaultProgress;
  /** Given by who waits for the disk in `finish`: it then begins to write while files are still extracted. */
  readonly clock?: Clock;
  /** What has to be done to the extracted tree before it counts as whole. It stands under the partial name, which is given. */
  readonly finish?: (partial: string) => Promise<void>;
};

/** @throws RefloatError target.failed, vault.damaged, path.hostile; what was written stays under the partial name, which `inspectInstance` tells as partial */
export const restoreInstance = async (request: RestoreRequest): Promise<ExtractReport> => {
  const { target, signal } = request;
  const partial = partialPath(target.name);
  if (!(await pathExists(dirname(target.name))))
    throw new RefloatError(
      "target.failed",
      `the folder ${dirname(target.name)} is not there, so nothing can be restored into it`,
    );
  const { runUid, run } = target;
  const marker: Marker = { runUid, run, label: request.label, inode: null, bootId: readBootId() };
  await writeSiblingRecord(markerPath(target.name), JSON.stringify(marker));
  const extract = () => request.source.extract(request.captured.path, partial, signal, request.progress);
  const { clock } = request;
  const report = await (clock === undefined
    ? extract()
    : writingOut({ path: dirname(target.name), clock, signal }, extract));
  await request.finish?.(partial);
  const { ino } = await lstat(partial);
  await writeSiblingRecord(markerPath(target.name), JSON.stringify({ ...marker, inode: ino }));
  await rename(partial, target.name);
  await syncDirectory(dirname(target.name));
  return report;
};

/** @throws RefloatError run.wrong-state if it serves, instance.exists if this run did not make it */
export const dropInstance = async (stable: string, target: InstanceTarget, signal: AbortSignal): Promise<void> => {
  const place = await locateInstance(stable, target);
  if (place.presence === "absent") {
    // A restore that was killed while it wrote its very first line.
    await removeSiblingRecord(markerPath(target.name));
    return;
  }
  const partial = partialPath(target.name);
  if (place.presence === "done" && place.serves)
    throw new RefloatError("run.wrong-state", `${basename(target.name)} serves behind ${stable}; it is not dropped`, {
      nextCommand: `refloat undo ${target.run}`,
    });
  if (place.path !== undefined) {
    // A drop that is killed half way must not leave what looks whole.
    await removeTree(partial, signal);
    await rename(place.path, partial);
    if (place.path !== target.name) await removeSiblingRecord(exchangeRecordPath(stable));
  }
  await removeTree(partial, signal);
  await removeSiblingRecord(markerPath(target.name));
  await syncDirectory(dirname(target.name));
};
