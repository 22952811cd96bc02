/** mount: a recovery point as folders, to look around in with any program. */
import type { Workbench } from "../core/ports/workbench.ts";
import { parsePlace } from "../core/granular/parse-place.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";

export type Mounted = {
  readonly point: RecoveryPoint;
  readonly directory: string;
  readonly components: readonly string[];
  /** Components whose snapshot is gone. */
  readonly missing: readonly string[];
};

/**
 * Resolves when the mount has ended.
 * @param directory absolute @throws RefloatError program.missing, target.exists, target.failed, program.failed, point.*, vault.*
 */
export const mountPoint = async (
  bench: Pick<Workbench, "vault" | "mount" | "directories">,
  request: { readonly point: string; readonly directory: string },
  ready: (mounted: Mounted) => void,
  signal: AbortSignal,
): Promise<Mounted> => {
  const place = parsePlace(request.point);
  if (place.component !== null) {
    throw new RefloatError("usage", "mount shows a whole point, with a folder for each component", {
      nextCommand: `mkdir -p point-${place.point} && refloat mount ${place.point} point-${place.point}`,
    });
  }
  const { points, repository } = await bench.vault();
  const point = await points.read(place.point);
  const { service, components } = point.manifest;
  const listedAs = new Map((await repository.snapshots()).map(({ id, file = id }) => [id, file]));
  const parts = Object.values(components)
    .filter(({ name }) => !point.missing.includes(name))
    .map(({ name, snapshot, path }) => ({ name, snapshot: listedAs.get(snapshot) ?? snapshot, path }));
  const mounted: Mounted = {
    point,
    directory: request.directory,
    components: parts.map(({ name }) => name),
    missing: point.missing,
  };
  const work = await bench.directories.work(`refloat/mount/${shortId(point.id)}`);
  try {
    await bench.mount({
      directory: request.directory,
      service,
      parts,
      workDirectory: work.path,
      ready: () => ready(mounted),
      signal,
    });
    return mounted;
  } finally {
    await work.remove();
  }
};
