/**
 * diff POINT live: what changed from a recovery point to what is there now, as a capture of now would see it. Reads the source as a capture
 * does, with its limits, and writes nothing: neither there nor into the vault.
 */
import { withComponents } from "../core/components/component-access.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import { createComparingSink } from "../core/granular/comparing-sink.ts";
import {
  type ComponentDiff,
  type ComponentSide,
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
import type { CaptureReport, ComponentDriver } from "../core/ports/driver.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { shortId } from "../model/identifiers.ts";
import { toJsonObject } from "../model/json.ts";
import type { CapturedComponent, RecoveryPoint } from "../model/manifest.ts";
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
      compared.push(await explained(before, names, name, signal, () => diffComponent(parts)));
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

type Parts = {
  readonly bench: Workbench;
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly before: RecoveryPoint;
  readonly name: string;
  readonly take: TakeDifference;
  readonly signal: AbortSignal;
};

const diffComponent = async ({ bench, service, access, before, name, take, signal }: Parts): Promise<ComponentDiff> => {
  const opened = await openIfHeld(bench, before, name);
  const tally = emptyTally();
  const takeOne = (difference: Parameters<TakeDifference>[1]) => take(name, difference);
  const files = await filesSide(opened);
  let live: ComponentSide | null = null;
  let sawTree = false;
  if (Object.hasOwn(service.components, name)) {
    const { repository } = await bench.vault();
    const comparing = createComparingSink({ before: files, liveTree: repository.liveTree, tally, take: takeOne });
    const driver = access.driver(name);
    const report = await driver.capture(await access.context(name), comparing.sink, opened?.captured ?? null);
    live = { facts: report.facts, tables: tablesOf(driver, name, report, bench) };
    sawTree = comparing.sawTree();
  }
  if (!sawTree) await compareFiles({ before: files, after: null }, tally, takeOne, signal);
  return componentDiff(name, knownSide(opened), live, tally);
};

/** As the point of a capture of now would show them. */
const tablesOf = (driver: ComponentDriver, name: string, report: CaptureReport, { clock }: Workbench) => {
  const captured: CapturedComponent = {
    ...report,
    name,
    driver: driver.type,
    snapshot: noSnapshot,
    sizeBytes: report.facts.sizeBytes,
    newBytes: 0,
    finishedAt: clock.now().toISOString(),
  };
  return driver.contents?.tables(captured) ?? [];
};

const noSnapshot = "" as CapturedComponent["snapshot"];
