/** assess: what is damaged, and the smallest cures. Reads what is live as a capture does, and changes nothing. */
import { type DamageSign, damageSigns } from "../core/assess/damage-signs.ts";
import { smallCures } from "../core/assess/small-cures.ts";
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { liveAnswers } from "../core/components/live-answers.ts";
import { findService } from "../core/declaration/find-service.ts";
import type { ComponentDiff, TableDifference } from "../core/granular/component-diff.ts";
import { compareWithLive } from "../core/granular/compare-with-live.ts";
import { comparedNames } from "../core/granular/diff-sides.ts";
import { openComponent } from "../core/granular/open-place.ts";
import { pointSource } from "../core/granular/point-source.ts";
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
import { toRefloatError } from "../model/refloat-error.ts";

export type AssessRequest = {
  readonly service: string;
  /** As typed; null for the newest point that nothing speaks against. */
  readonly against: string | null;
  readonly only: string | null;
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

/** Larger tables are compared by their facts alone: their rows would have to be loaded into the live server. */
const mostTableBytes = 2_000_000_000;
const shownFiles = 5;
/** Fewer changed files are work, however few there are. */
const fewestRewritten = 10;

/** @throws RefloatError service.unknown, component.unknown, point.*, time.unclear, vault.* */
export const assess = async (bench: Workbench, request: AssessRequest, signal: AbortSignal): Promise<Assessed> => {
  const service = findService(await bench.declaration(), request.service);
  const { point, doubts } = await pointFor(bench, service.name, request.against);
  const names = comparedNames(point.manifest.components, service.components, request.only);
  const options = { service, locate: () => null, marker: `refloat/assess/${service.name}`, signal };
  return withComponents(bench, options, async (access) => {
    const answers = await liveAnswers(service, access, bench.clock, signal);
    const components: AssessedComponent[] = [];
    const cures: Cure[] = [];
    for (const name of names) {
      const began = bench.clock.monotonicMs();
      const component = await assessComponent({ bench, service, access, point, name, signal });
      components.push(component);
      const comparedMs = bench.clock.monotonicMs() - began;
      if (component.damaged) cures.push(...smallCures({ point, component, comparedMs }));
    }
    return { service, point, doubts, answers, components, cures };
  });
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

const nothingSeen = { schemaChanged: false, tables: [], files: { added: 0, removed: 0, changed: 0 }, samples: [] };

/** A side that does not answer is damage too, and no reason not to look at the others. */
const assessComponent = async (parts: Parts): Promise<AssessedComponent> => {
  const { name, signal } = parts;
  const samples: AssessedComponent["samples"] = [];
  try {
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
      component: name,
      state: diff.state,
      problem: null,
      schemaChanged: diff.schemaChanged,
      tables: [...tables],
      files: { added, removed, changed },
      samples,
      damaged: lostFiles || tables.some(({ signs }) => signs.length > 0),
    };
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message } = toRefloatError(thrown);
    if (code === "bug" || code.startsWith("vault.") || code.startsWith("point.")) throw thrown;
    return { component: name, state: "unreadable", problem: message, ...nothingSeen, damaged: true };
  }
};

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
  if ((before.sizeBytes ?? 0) > mostTableBytes)
    return unseen(`${formatBytes(before.sizeBytes ?? 0)} are not compared row by row`);
  try {
    const rows = await mending.compare(await access.context(name), source, before.name);
    const signs = damageSigns(rows);
    return {
      ...base,
      rows,
      unseen: null,
      signs: signs.map((sign) => sign.words),
      cure: cureOf(signs),
    };
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message } = toRefloatError(thrown);
    // One odd table does not make the others unreadable; a source that is gone does.
    if (code === "bug" || code === "source.unreachable" || /^(?:vault|point)\./.test(code)) throw thrown;
    return unseen(message);
  }
};

/** What puts back all that shows a sign, and as little else as can be. */
const cureOf = (signs: readonly DamageSign[]): AssessedTable["cure"] => {
  if (signs.length === 0) return null;
  const gone = signs.find(({ about }) => about === "gone")?.rows ?? 0;
  const changed = signs.filter(({ about }) => about !== "gone");
  const columns = changed.flatMap(({ column }) => column ?? []);
  const most = (figure: (sign: DamageSign) => number): number => Math.max(0, ...changed.map(figure));
  return {
    rows: gone + most(({ rows }) => rows),
    kinds: [...(changed.length === 0 ? [] : ["changed" as const]), ...(gone === 0 ? [] : ["gone" as const])],
    columns: columns.length === 0 ? null : columns,
    others: most(({ others }) => others),
  };
};

/** Without a look at the rows, fewer of them is all that can be told. */
const byFacts = ({ before, after }: Pick<AssessedTable, "before" | "after">) => ({
  signs: before !== null && after !== null && after < before ? [`${formatAmount(before - after, "rows")} fewer`] : [],
  cure: null,
});
