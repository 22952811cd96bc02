/**
 * diff POINT live: what changed from a recovery point to what is there now, as a capture of now would see it. Reads the source as a capture
 * does, with its limits, and writes nothing: neither there nor into the vault.
 */
import { withComponents } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import type { ComponentDiff, TakeDifference } from "../core/granular/component-diff.ts";
import { compareWithLive } from "../core/granular/compare-with-live.ts";
import { compareValues } from "../core/granular/compare-values.ts";
import { type PointDiff, comparedNames, wholePoint } from "../core/granular/diff-sides.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { shortId } from "../model/identifiers.ts";
import { toJsonObject } from "../model/json.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";

export type DiffLiveRequest = { readonly point: string; readonly only: string | null };

/** @throws RefloatError usage, service.unknown, component.unknown, point.*, source.*, secret.unavailable, vault.* */
export const diffLive = async (
  bench: Workbench,
  { point: typed, only }: DiffLiveRequest,
  take: TakeDifference,
  signal: AbortSignal,
): Promise<PointDiff> => {
  const { points } = await bench.vault();
  const before = await points.read(wholePoint(typed));
  const service = findService(await bench.declaration(), before.manifest.service);
  const names = comparedNames(before.manifest.components, service.components, only);
  const marker = `refloat/diff/${service.name}/live`;
  const components = await withComponents(bench, { service, locate: () => null, marker, signal }, async (access) => {
    const compared: ComponentDiff[] = [];
    for (const name of names) {
      const parts = { bench, service, access, before, name, take, signal };
      compared.push(await explained(before, names, name, signal, () => compareWithLive(parts)));
    }
    return compared;
  });
  return {
    before,
    after: null,
    declaration: [...compareValues(toJsonObject(before.manifest.declaration), toJsonObject(service))],
    components,
  };
};

/** One side that does not answer must not keep the others from being compared. */
const explained = async (
  point: RecoveryPoint,
  names: readonly string[],
  name: string,
  signal: AbortSignal,
  act: () => Promise<ComponentDiff>,
): Promise<ComponentDiff> => {
  try {
    return await act();
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toRefloatError(thrown);
    const other = names.find((another) => another !== name);
    if (error.code === "bug") throw thrown;
    throw new RefloatError(error.code, `${name} cannot be compared with what is live: ${error.message}`, {
      cause: error,
      context: error.context,
      state: "nothing was changed",
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      nextCommand:
        other === undefined
          ? `refloat validate --live ${point.manifest.service}`
          : `refloat diff ${shortId(point.id)} live --only ${other}`,
    });
  }
};
