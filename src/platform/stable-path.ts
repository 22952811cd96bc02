/**
 * Switches what stands behind a path, for drivers whose stable name is a path: a folder or file by an atomic exchange of names, a
 * link to a release by renaming a new link over it. Compare-and-set on identities; the atomic act comes last, so that a switch that
 * was killed is either not made or made, and a repeat finishes what stands beside.
 *
 * The way of a folder: the incoming object is parked under the outgoing name (live untouched), then both names are exchanged in
 * one system call. A record beside the path remembers the parking, so that `observe` still tells the parked object as incoming.
 */
import { readFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, isAbsolute, relative } from "node:path";
import { z } from "zod";
import type { Exchange, ExchangeObservation, Identity } from "../core/ports/driver.ts";
import type { Clock, Log } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { syncDirectory } from "./atomic-file.ts";
import { isMountPoint } from "./mount-points.ts";
import { exchangePaths } from "./path-exchange.ts";
import {
  exchangeRecordPath,
  inodeIdentity,
  isOwnName,
  linkIdentity,
  lookAt,
  markerPath,
  retiredPath,
  temporaryLinkPath,
  tombstonePath,
} from "./path-names.ts";
import { removeSiblingRecord, writeSiblingRecord } from "./sibling-record.ts";
import { pathExists, removeTree, syncFileSystem } from "./tree-files.ts";

export type SwitchTools = { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal };

const recordSchema = z.object({ incoming: z.string(), outgoing: z.string(), identity: z.string() });

const readExchangeRecord = async (stable: string): Promise<z.infer<typeof recordSchema> | null> => {
  const path = exchangeRecordPath(stable);
  return (await pathExists(path)) ? recordSchema.parse(JSON.parse(await readFile(path, "utf8"))) : null;
};

/** The name under which an interrupted exchange parked its incoming object, if it did. */
export const findParked = async (stable: string, incoming: string): Promise<string | null> => {
  const record = await readExchangeRecord(stable);
  if (record === null || record.incoming !== incoming || (await pathExists(incoming))) return null;
  return inodeIdentity(await lookAt(record.outgoing)) === record.identity ? record.outgoing : null;
};

const refuseMountPoint = async (path: string): Promise<void> => {
  if (!(await isMountPoint(path))) return;
  throw new RefloatError("cutover.refused", `${path} is a mount point, and a mount point cannot be renamed`, {
    hint: "declare a folder inside the mount as the component's path, or switch by a link that points into it",
  });
};

/**
 * What stable, incoming and outgoing name stand for now. A name whose object is the one behind the stable name (the release that
 * the link points to) is told as null: it is not beside any more.
 * @throws RefloatError cutover.refused for a mount point
 */
export const observePaths = async (stable: string, exchange: Exchange): Promise<ExchangeObservation> => {
  const found = await lookAt(stable);
  if (found.kind === "link") {
    const live = linkIdentity(stable, found.target);
    const beside = async (path: string): Promise<Identity> => {
      const object = await lookAt(path);
      if (object.kind === "absent") return null;
      const identity = linkIdentity(stable, object.kind === "link" ? object.target : path);
      return identity === live ? null : identity;
    };
    return { stable: live, incoming: await beside(exchange.incoming), outgoing: await beside(exchange.outgoing) };
  }
  if (found.kind === "object") await refuseMountPoint(stable);
  const identityOf = async (path: string): Promise<Identity> => {
    const object = await lookAt(path);
    return object.kind === "link" ? linkIdentity(stable, object.target) : inodeIdentity(object);
  };
  const parked = await findParked(stable, exchange.incoming);
  if (parked !== null && parked === exchange.outgoing)
    return { stable: inodeIdentity(found), incoming: await identityOf(parked), outgoing: null };
  return {
    stable: inodeIdentity(found),
    incoming: await identityOf(exchange.incoming),
    outgoing: await identityOf(exchange.outgoing),
  };
};

const describe = ({ stable, incoming, outgoing }: ExchangeObservation): string =>
  `stable ${stable ?? "nothing"}, incoming ${incoming ?? "nothing"}, outgoing ${outgoing ?? "nothing"}`;

const isSame = (a: ExchangeObservation, b: ExchangeObservation): boolean =>
  a.stable === b.stable && a.incoming === b.incoming && a.outgoing === b.outgoing;

/**
 * Contract of SwitchOperations.exchange. Again after it has happened: no effect.
 * @throws RefloatError cutover.conflict, cutover.refused
 */
export const exchangeStablePath = async (
  stable: string,
  exchange: Exchange,
  expected: ExchangeObservation,
  tools: SwitchTools,
): Promise<{ readonly heldMs: number }> => {
  const now = await observePaths(stable, exchange);
  const began = tools.clock.monotonicMs();
  const isAfter = now.stable === expected.incoming && now.outgoing === expected.stable;
  if (isAfter && now.stable !== expected.stable) {
    await removeSiblingRecord(exchangeRecordPath(stable));
    return { heldMs: 0 };
  }
  const isBetweenTwoRenames =
    now.stable === null && now.incoming === expected.incoming && now.outgoing === expected.stable;
  if (!isSame(now, expected) && !isBetweenTwoRenames) {
    throw new RefloatError(
      "cutover.conflict",
      `${stable} is not as it was seen before the switch: expected ${describe(expected)}; found ${describe(now)}`,
    );
  }
  if (expected.outgoing !== null && !isBetweenTwoRenames)
    throw new RefloatError("cutover.conflict", `${exchange.outgoing}, where the old side is to go, is there already`);
  tools.signal.throwIfAborted();
  if (expected.incoming === null) await retire(stable, exchange);
  else if (now.stable === null) await takeFreeName(stable, exchange, expected);
  else if ((await lookAt(stable)).kind === "link") await switchLink(stable, exchange);
  else await switchObject(stable, exchange, expected.incoming, tools);
  await syncDirectory(dirname(stable));
  await removeSiblingRecord(exchangeRecordPath(stable));
  const after = await observePaths(stable, exchange);
  if (after.stable !== expected.incoming || after.outgoing !== expected.stable) {
    throw new RefloatError("cutover.conflict", `${stable} was changed by somebody else during the switch`, {
      state: describe(after),
    });
  }
  return { heldMs: tools.clock.monotonicMs() - began };
};

/** There was nothing behind the name: the switch is one rename, and the retired name remembers the nothing for an undo. */
const takeFreeName = async (stable: string, exchange: Exchange, expected: ExchangeObservation): Promise<void> => {
  if (expected.stable === null && exchange.putsAway !== true)
    await writeSiblingRecord(tombstonePath(exchange.outgoing), "");
  await rename(exchange.incoming, stable);
};

/** The undo of `takeFreeName`, or meant. An old side that is simply lost must not take the present one out of service. */
const retire = async (stable: string, exchange: Exchange): Promise<void> => {
  const tombstone = tombstonePath(exchange.incoming);
  if (exchange.putsAway === true) return rename(stable, exchange.outgoing);
  if (!(await pathExists(tombstone)))
    throw new RefloatError("cutover.conflict", `${exchange.incoming}, which is to become ${stable}, is not there`);
  await rename(stable, exchange.outgoing);
  await removeSiblingRecord(tombstone);
};

const switchLink = async (stable: string, exchange: Exchange): Promise<void> => {
  const old = await lookAt(stable);
  if (old.kind !== "link") throw new RefloatError("cutover.conflict", `${stable} is no link any more`);
  const asWritten = (from: string, target: string): string =>
    isAbsolute(old.text) ? target : relative(dirname(from), target);
  const oldIsElsewhere = old.target !== exchange.outgoing;
  if (oldIsElsewhere && !(await pathExists(exchange.outgoing)))
    await symlink(asWritten(exchange.outgoing, old.target), exchange.outgoing);
  if ((await lookAt(exchange.incoming)).kind === "link") {
    await rename(exchange.incoming, stable);
    return;
  }
  const temporary = temporaryLinkPath(stable);
  await rm(temporary, { force: true });
  await symlink(asWritten(stable, exchange.incoming), temporary);
  await rename(temporary, stable);
};

const switchObject = async (
  stable: string,
  exchange: Exchange,
  incoming: string,
  tools: SwitchTools,
): Promise<void> => {
  const { incoming: from, outgoing: to } = exchange;
  if ((await findParked(stable, from)) === null) {
    await writeSiblingRecord(
      exchangeRecordPath(stable),
      JSON.stringify({ incoming: from, outgoing: to, identity: incoming }),
    );
    await rename(from, to);
    await syncDirectory(dirname(to));
  }
  const ability = await exchangePaths(stable, to, tools.signal);
  if (ability.atomic) return;
  tools.log.warn(`${stable} is switched by two renames, with an instant at which it does not exist: ${ability.why}`);
  await rename(to, from);
  await rename(stable, to);
  await rename(from, stable);
};

/**
 * Removes a retired side for good: the tree, or the link and the release folder that it names. Idempotent. What serves is on the
 * disk by then: a power failure must not find the old side gone and the new one unwritten.
 * @throws RefloatError run.wrong-state if it serves now, cutover.refused if the name is none that Refloat gives
 */
export const discardRetired = async (stable: string, outgoing: string, signal: AbortSignal): Promise<void> => {
  if (!isOwnName(outgoing) || outgoing === stable)
    throw new RefloatError("cutover.refused", `${outgoing} is not a name that a recovery gave, so it is not removed`);
  const live = await lookAt(stable);
  const retired = await lookAt(outgoing);
  const serves = (path: string): boolean => live.kind === "link" && live.target === path;
  if (serves(outgoing)) throw new RefloatError("run.wrong-state", `${outgoing} serves behind ${stable}`);
  if (live.kind !== "absent" && retired.kind !== "absent") await syncFileSystem(stable, signal);
  if (retired.kind === "link") {
    // Only a sibling of the present release is known to be an old release; what else a link may name is left alone.
    const isOldRelease =
      live.kind === "link" && dirname(live.target) === dirname(retired.target) && !serves(retired.target);
    if (isOldRelease) await removeTree(retired.target, signal);
    if (isOldRelease) await removeSiblingRecord(markerPath(retired.target));
  }
  await removeTree(outgoing, signal);
  await removeSiblingRecord(tombstonePath(outgoing));
  await removeSiblingRecord(markerPath(outgoing));
  // Left by a process that was killed between the exchange and its end.
  if ((await readExchangeRecord(stable))?.outgoing === outgoing) await removeSiblingRecord(exchangeRecordPath(stable));
  await forgetInstance(stable, outgoing, live.kind === "link" ? live.target : null);
};

/** After commit nothing needs to know any more that the serving side was once an instance of a run. */
const forgetInstance = async (stable: string, outgoing: string, liveTarget: string | null): Promise<void> => {
  const run = /\.old(\d+)$/.exec(outgoing)?.[1];
  if (run === undefined || outgoing !== retiredPath(stable, Number(run))) return;
  await removeSiblingRecord(markerPath(`${stable}.r${run}`));
  if (liveTarget !== null) await removeSiblingRecord(markerPath(liveTarget));
};
