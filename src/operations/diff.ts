/** diff: what changed from one recovery point of a service to another. Compares what the vault knows; reads no content. */
import {
  type ComponentDiff,
  type TakeDifference,
  compareFiles,
  componentDiff,
  emptyTally,
} from "../core/granular/component-diff.ts";
import { compareValues } from "../core/granular/compare-values.ts";
import {
  type PointDiff,
  comparedNames,
  filesSide,
  knownSide,
  openIfHeld,
  wholePoint,
} from "../core/granular/diff-sides.ts";
import type { GranularBench } from "../core/granular/open-place.ts";
import { shortId } from "../model/identifiers.ts";
import { toJsonObject } from "../model/json.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type DiffRequest = { readonly before: string; readonly after: string; readonly only: string | null };

/** @throws RefloatError usage, point.unknown, point.ambiguous, point.damaged, component.unknown, vault.* */
export const diff = async (
  bench: GranularBench,
  request: DiffRequest,
  take: TakeDifference,
  signal: AbortSignal,
): Promise<PointDiff> => {
  const { points } = await bench.vault();
  const [before, after] = [await points.read(wholePoint(request.before)), await points.read(wholePoint(request.after))];
  if (before.manifest.service !== after.manifest.service) {
    throw new RefloatError(
      "usage",
      `${shortId(before.id)} is a point of ${before.manifest.service}, ${shortId(after.id)} one of ${after.manifest.service}`,
      { hint: "points of one service can be compared", nextCommand: `refloat points ${before.manifest.service}` },
    );
  }
  const names = comparedNames(before.manifest.components, after.manifest.components, request.only);
  const components: ComponentDiff[] = [];
  for (const name of names) components.push(await diffComponent(bench, { before, after, name }, take, signal));
  return {
    before,
    after,
    declaration: [
      ...compareValues(toJsonObject(before.manifest.declaration), toJsonObject(after.manifest.declaration)),
    ],
    components,
  };
};

type Pair = { readonly before: RecoveryPoint; readonly after: RecoveryPoint; readonly name: string };

const diffComponent = async (
  bench: GranularBench,
  { before, after, name }: Pair,
  take: TakeDifference,
  signal: AbortSignal,
): Promise<ComponentDiff> => {
  const [a, b] = [await openIfHeld(bench, before, name), await openIfHeld(bench, after, name)];
  const tally = emptyTally();
  const pair = { before: await filesSide(a), after: await filesSide(b) };
  await compareFiles(pair, tally, (difference) => take(name, difference), signal);
  return componentDiff(name, knownSide(a), knownSide(b), tally);
};
