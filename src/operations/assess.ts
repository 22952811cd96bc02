/** assess: what is damaged, and the smallest cures. Reads what is live as a capture does, and changes nothing. */
import { whyUnfit } from "../core/assess/unless-unfit.ts";
import { archiveCures, assessParts } from "../core/assess/assess-parts.ts";
import { seenTable } from "../core/assess/seen-table.ts";
import { smallCures, startCures } from "../core/assess/small-cures.ts";
import { findStopped, startAgainWords } from "../core/components/stopped-server.ts";
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { liveAnswers } from "../core/components/live-answers.ts";
import { findService } from "../core/declaration/find-service.ts";
import type { ComponentDiff, TableDifference } from "../core/granular/component-diff.ts";
import { compareWithLive } from "../core/granular/compare-with-live.ts";
import { comparedNames } from "../core/granular/diff-sides.ts";
import { openComponent } from "../core/granular/open-place.ts";
import { pointSource } from "../core/granular/point-source.ts";
import { mostUnaskedBytes } from "../core/mend/loadable-size.ts";
import { momentSource } from "../core/granular/moment-source.ts";
import { choosePoint } from "../core/points/choose-point.ts";
import { passedAtCapture } from "../core/points/closer-point.ts";
import { isSuspect } from "../core/points/open-incident.ts";
import { withoutLeft } from "../core/points/select-point.ts";
import type { PointSource } from "../core/ports/row-mending.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { showName } from "../core/text/shown-name.ts";
import { formatAmount, formatBytes } from "../core/text/quantity.ts";
import type { AssessedComponent, AssessedTable, Cure } from "../model/assessment.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";

export type AssessRequest = {
  readonly service: string;
  /** As typed; null for the newest point that nothing speaks against. */
  readonly against: string | null;
  /** Components, or parts of one that is compared part by part: `cluster:bench/orders`; null for all components. */
  readonly only: readonly { readonly component: string; readonly table: string | null }[] | null;
  /** Is told what is costly, before it begins. */
  readonly warn: (what: string) => void;
};

export type Assessed = {
  readonly service: ServiceDeclaration;
  readonly point: RecoveryPoint;
  /** What speaks against comparing with it. */
  readonly doubts: readonly string[];
  readonly answers: readonly CheckOutcome[];
  readonly components: readonly AssessedComponent[];
  /** Those that mend just what is damaged. */
  readonly cures: readonly Cure[];
};

const shownFiles = 5;
/** Fewer changed files are work, however few there are. */
const fewestRewritten = 10;

/** @throws RefloatError service.unknown, component.unknown, point.*, time.unclear, vault.* */
export const assess = async (bench: Workbench, request: AssessRequest, signal: AbortSignal): Promise<Assessed> => {
  const service = findService(await bench.declaration(), request.service);
  const { point, doubts } = await pointFor(bench, service.name, request.against);
  const names = askedNames(point, service, request.only);
  const options = { service, locate: () => null, marker: `refloat/assess/${service.name}`, signal };
  return withComponents(bench, options, async (access) => {
    const answers = await liveAnswers(service, access, bench.clock, signal);
    const components: AssessedComponent[] = [];
    const cures: Cure[] = [];
    for (const name of names) {
      const began = bench.clock.monotonicMs();
      const asked = request.only?.flatMap((one) => (one.component === name ? (one.table ?? []) : [])) ?? [];
      const { component, at, archives } = await assessOne(
        { bench, service, access, point, name, signal },
        asked,
        request,
      );
      const comparedMs = bench.clock.monotonicMs() - began;
      const stopped = component.state === "unreadable" ? await stoppedOf(access, name) : null;
      if (stopped !== null) cures.push(...startCures(name, stopped));
      if (component.damaged) cures.push(...smallCures({ point, component, at, comparedMs }));
      cures.push(...archives);
      components.push(
        stopped === null
          ? component
          : { ...component, problem: `${component.problem ?? ""}; ${startAgainWords(stopped)}` },
      );
    }
    return { service, point, doubts, answers, components, cures };
  });
};

const stoppedOf = async (access: ComponentAccess, name: string) =>
  findStopped(access.driver(name), await access.context(name));

/** @throws RefloatError component.unknown */
const askedNames = (
  point: RecoveryPoint,
  service: ServiceDeclaration,
  only: AssessRequest["only"],
): readonly string[] => {
  const of = (name: string | null): readonly string[] =>
    comparedNames(point.manifest.components, service.components, name);
  return only === null ? of(null) : [...new Set(only.flatMap(({ component }) => of(component)))];
};

/** The newest point that passed what was asked at its capture, is whole and not in doubt; the newest one where none is. */
const pointFor = async (
  bench: Workbench,
  service: string,
  against: string | null,
): Promise<Pick<Assessed, "point" | "doubts">> => {
  const {
    point: asked,
    points,
    incidentSince,
  } = await choosePoint(bench, { service, at: against, only: null }, bench.clock.now());
  const doubtsOf = (point: RecoveryPoint): readonly string[] => {
    const { checks, invariants } = point.manifest;
    return [
      ...(point.missing.length === 0 ? [] : [`it has lost ${point.missing.join(", ")}`]),
      ...(isSuspect(point, incidentSince) ? ["an incident doubts it"] : []),
      ...(passedAtCapture(point.manifest) ? [] : ["it failed its own checks when it was taken"]),
      ...(checks.length + invariants.length === 0
        ? ["nothing was checked when it was taken: it may hold the damage too"]
        : []),
    ];
  };
  const isSound = (point: RecoveryPoint): boolean =>
    point.missing.length === 0 && passedAtCapture(point.manifest) && !isSuspect(point, incidentSince);
  const point = against === null ? (withoutLeft(points).find(isSound) ?? asked) : asked;
  return { point, doubts: doubtsOf(point) };
};

type Parts = {
  readonly bench: Workbench;
  readonly service: ServiceDeclaration;
  readonly access: ComponentAccess;
  readonly point: RecoveryPoint;
  readonly name: string;
  readonly signal: AbortSignal;
};

const nothingSeen = {
  schemaChanged: false,
  tables: [],
  files: { added: 0, removed: 0, changed: 0 },
  samples: [],
  notes: [],
  unseen: null,
};

const isOfParts = (access: ComponentAccess, name: string): boolean => access.driver(name).mending?.parts !== undefined;

type AssessedOne = {
  readonly component: AssessedComponent;
  /** The moment as typed, where it was compared with that and not with the point itself. */
  readonly at: string | null;
  readonly archives: readonly Cure[];
};

/** @param asked parts of it, as typed. @throws RefloatError usage where it is compared as a whole */
const assessOne = async (
  parts: Parts,
  asked: readonly string[],
  wish: Pick<AssessRequest, "against" | "warn">,
): Promise<AssessedOne> => {
  const { access, name, service, point } = parts;
  const isThere = Object.hasOwn(service.components, name) && Object.hasOwn(point.manifest.components, name);
  if (isThere && isOfParts(access, name)) return assessByParts(parts, asked, wish);
  const [first] = asked;
  if (first === undefined) return { component: await assessComponent(parts), at: null, archives: [] };
  throw new RefloatError("usage", `${name} is compared as a whole, and "${first}" is a part of it`, {
    state: "nothing was changed",
    hint: "single tables are named of a component of type postgres-cluster",
    nextCommand: `refloat assess ${service.name} --only ${name}`,
  });
};

const assessByParts = async (
  { bench, service, access, point, name, signal }: Parts,
  asked: readonly string[],
  { against, warn }: Pick<AssessRequest, "against" | "warn">,
): Promise<AssessedOne> => {
  const driver = access.driver(name);
  const { mending } = driver;
  if (mending?.parts === undefined) throw new RefloatError("bug", `${name} has no parts`);
  const { parts } = mending;
  // Rows alone are read as of a second: what is there at all is known of the point.
  const moment = against === null || asked.length === 0 ? null : await momentSource(bench, service.name, name, against);
  const byLog = moment !== null && moment.source.replay !== null;
  const source = byLog ? moment.source : pointSource(await openComponent(bench, point, name));
  const component = await unlessUnreadable(name, signal, async () =>
    assessParts({ component: name, parts, driver, context: await access.context(name), source, asked, warn }),
  );
  const at = byLog ? against : null;
  return { component, at, archives: archiveCures(point, component, at) };
};

/** A side that does not answer is damage too, and no reason not to look at the others. */
const unlessUnreadable = async (
  name: string,
  signal: AbortSignal,
  act: () => Promise<AssessedComponent>,
): Promise<AssessedComponent> => {
  try {
    return await act();
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message } = toRefloatError(thrown);
    if (code === "bug" || code === "usage" || code.startsWith("vault.") || code.startsWith("point.")) throw thrown;
    return { component: name, state: "unreadable", problem: message, ...nothingSeen, damaged: true };
  }
};

const assessComponent = (parts: Parts): Promise<AssessedComponent> =>
  unlessUnreadable(parts.name, parts.signal, async () => {
    const { name } = parts;
    const samples: AssessedComponent["samples"] = [];
    const diff = await compareWithLive({
      ...parts,
      before: parts.point,
      take: async (_component, { kind, path }) => {
        if ((kind === "removed" || kind === "changed") && samples.length < shownFiles)
          samples.push({ path: showName(path), kind });
      },
    });
    const tables = await assessTables(parts, diff);
    const { added, removed, changed } = diff.files;
    // Another release is a decision of somebody, whatever files it leaves out or changes.
    const isData = parts.access.driver(name).runtime === undefined;
    const captured = parts.point.manifest.components[name]?.facts.counts["files"] ?? 0;
    const rewritten = changed >= fewestRewritten && changed > captured / 2;
    const lostFiles = isData && (removed > 0 || rewritten);
    return {
      ...nothingSeen,
      component: name,
      state: diff.unseen === undefined ? diff.state : "changed",
      problem: null,
      unseen: diff.unseen ?? null,
      schemaChanged: diff.schemaChanged,
      tables: [...tables],
      files: { added, removed, changed },
      samples,
      damaged: lostFiles || tables.some(({ signs }) => signs.length > 0),
    };
  });

const assessTables = async (parts: Parts, diff: ComponentDiff): Promise<readonly AssessedTable[]> => {
  if (diff.tables.length === 0) return [];
  const { bench, point, name } = parts;
  const source = pointSource(await openComponent(bench, point, name));
  const assessed: AssessedTable[] = [];
  for (const difference of diff.tables) assessed.push(await assessTable(parts, source, difference));
  return assessed;
};

const assessTable = async (
  { access, name, signal }: Parts,
  source: PointSource,
  { kind, name: table, before, after }: TableDifference,
): Promise<AssessedTable> => {
  const base = { name: table, kind, before: before?.rows ?? null, after: after?.rows ?? null };
  if (kind === "added" || before === null) return { ...base, rows: null, unseen: null, signs: [], cure: null };
  const { mending } = access.driver(name);
  if (kind === "removed") {
    const whole = { rows: before.rows ?? 0, kinds: ["gone" as const], columns: null, others: 0 };
    const cure = mending?.makesDropped === true && before.hasRows ? whole : null;
    return { ...base, rows: null, unseen: null, signs: ["the table is gone"], cure };
  }
  const unseen = (why: string): AssessedTable => ({ ...base, rows: null, unseen: why, ...byFacts(base) });
  if (mending === undefined) return unseen("its rows are compared by their hash alone");
  if ((before.sizeBytes ?? 0) > mostUnaskedBytes)
    return unseen(`${formatBytes(before.sizeBytes ?? 0)} are not compared row by row`);
  try {
    const rows = await mending.compare(await access.context(name), source, before.name);
    return seenTable(base, rows);
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toRefloatError(thrown);
    const { code } = error;
    // One odd table does not make the others unreadable; a source that is gone does.
    if (code === "bug" || code === "source.unreachable" || /^(?:vault|point)\./.test(code)) throw thrown;
    return unseen(whyUnfit(error));
  }
};

/** Without a look at the rows, fewer of them is all that can be told. */
const byFacts = ({ before, after }: Pick<AssessedTable, "before" | "after">) => ({
  signs: before !== null && after !== null && after < before ? [`${formatAmount(before - after, "rows")} fewer`] : [],
  cure: null,
});
