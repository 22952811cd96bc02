/**
 * One component of a point against what is live, as a capture of now would see it: read from the source as a capture does, with its limits, and
 * written nowhere.
 */
import type { ComponentAccess } from "../components/component-access.ts";
import type { CaptureReport, ComponentDriver } from "../ports/driver.ts";
import type { Workbench } from "../ports/workbench.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { CapturedComponent, RecoveryPoint } from "../../model/manifest.ts";
import { createComparingSink } from "./comparing-sink.ts";
import {
  type ComponentDiff,
  type ComponentSide,
  type TakeDifference,
  compareFiles,
  componentDiff,
  emptyTally,
} from "./component-diff.ts";
import { filesSide, knownSide, openIfHeld } from "./diff-sides.ts";

export type LiveComparison = {
  readonly bench: Workbench;
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly before: RecoveryPoint;
  readonly name: string;
  readonly take: TakeDifference;
  readonly signal: AbortSignal;
};

/** @throws RefloatError source.*, secret.unavailable, point.damaged, vault.* */
export const compareWithLive = async ({
  bench,
  service,
  access,
  before,
  name,
  take,
  signal,
}: LiveComparison): Promise<ComponentDiff> => {
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
  // A server that sends itself as a stream has lost no file by that.
  const isUnseen = live !== null && !sawTree && files !== null;
  if (!sawTree && !isUnseen) await compareFiles({ before: files, after: null }, tally, takeOne, signal);
  const diff = componentDiff(name, knownSide(opened), live, tally);
  if (!isUnseen) return diff;
  return {
    ...diff,
    unseen: `${access.driver(name).type} is captured as a whole, and what is in it is not compared here`,
  };
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
