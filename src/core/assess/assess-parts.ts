/** Assesses a component that is compared part by part: which parts are there, and, of those that are named, rows. */
import type { AssessedComponent, AssessedTable, Cure } from "../../model/assessment.ts";
import { shortId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { nullWhenDown } from "../components/null-when-down.ts";
import type { ComponentDriver, DriverContext } from "../ports/driver.ts";
import type { ComparedPart, PartComparing, SurveyedPart } from "../ports/part-comparing.ts";
import type { PointSource } from "../ports/row-mending.ts";
import { formatBytes } from "../text/quantity.ts";
import { restoredName } from "../text/restored-name.ts";
import { shellWord } from "../text/shell-word.ts";
import { seenTable } from "./seen-table.ts";
import { whyUnfit } from "./unless-unfit.ts";

export type PartsQuestion = {
  readonly component: string;
  readonly parts: PartComparing;
  readonly driver: ComponentDriver;
  readonly context: DriverContext;
  readonly source: PointSource;
  /** As typed behind the component; none: no rows are looked at. */
  readonly asked: readonly string[];
  /** Is told what is costly, before it begins. */
  readonly warn: (what: string) => void;
};

const noFiles = { files: { added: 0, removed: 0, changed: 0 }, samples: [], schemaChanged: false, problem: null };

const bare = (name: string, kind: AssessedTable["kind"], before: number | null = null): AssessedTable => ({
  name,
  kind,
  before,
  after: null,
  rows: null,
  unseen: null,
  signs: [],
  cure: null,
});

/** A table, or a whole database. What has no rows of its own in the point, such as one that lies in partitions, is not made again. */
const goneTable = (name: string, pointRows: number | null, isMadeAgain = false): AssessedTable => ({
  ...bare(name, "removed", pointRows),
  signs: [`the ${name.includes("/") ? "table" : "database"} is gone`],
  cure: isMadeAgain && pointRows !== null ? { rows: pointRows, kinds: ["gone"], columns: null, others: 0 } : null,
});

/** Null for a table that is as the point has it. */
const assessPart = (part: ComparedPart, makesDropped: boolean): AssessedTable | null => {
  const { name } = part;
  switch (part.state) {
    case "added":
      return bare(name, "added");
    case "gone":
      return goneTable(name, part.pointRows, makesDropped);
    case "unseen":
      return { ...bare(name, "changed"), unseen: part.why };
    case "compared": {
      const { equal, changed, gone, newer } = part.rows;
      if (changed + gone + newer === 0) return null;
      const kind = "changed" as const;
      return seenTable({ name, kind, before: equal + changed + gone, after: equal + changed + newer }, part.rows);
    }
    default:
      return part satisfies never;
  }
};

/** How to see more, with what that costs. */
const howToLook = (component: string, parts: readonly SurveyedPart[]): string => {
  const live = parts.filter(({ isLive }) => isLive).toSorted((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0));
  const [largest] = live;
  const name = largest?.name ?? "DATABASE";
  const size = largest?.sizeBytes == null ? "" : ` (${formatBytes(largest.sizeBytes)})`;
  return `no rows were compared, since that would read the whole server out of the point: name tables, --only ${component}:${name}/TABLE, or a database, --only ${component}:${name}, of which all${size} is read`;
};

const assessWhole = async ({
  component,
  parts,
  driver,
  context,
  source: { captured },
}: PartsQuestion): Promise<AssessedComponent> => {
  const { parts: found } = await parts.survey(context, captured);
  const gone = found.filter(({ isLive }) => !isLive).map(({ name }) => goneTable(name, null));
  const { position } = captured.facts;
  const written =
    position === undefined
      ? null
      : await nullWhenDown(
          context.signal,
          async () => (await driver.writes?.estimateSince?.(context, position)) ?? null,
        );
  return {
    component,
    state: "changed",
    ...noFiles,
    tables: gone,
    notes:
      written === null
        ? []
        : [`${written.about} since the point`, ...(written.untold === undefined ? [] : [written.untold])],
    unseen: howToLook(component, found),
    damaged: gone.length > 0,
  };
};

/** Nothing of these is a sign of damage: the look itself did not succeed. */
const isOfTheLook = (error: unknown): error is RefloatError =>
  error instanceof RefloatError && /^(?:target|program|log)\./.test(error.code);

/** @throws RefloatError usage, point.*, source.*, vault.* */
export const assessParts = async (question: PartsQuestion): Promise<AssessedComponent> => {
  const { component, parts, driver, context, source, asked, warn } = question;
  if (asked.length === 0) return assessWhole(question);
  const tables: AssessedTable[] = [];
  for (const name of asked) {
    const cost = parts.cost(source.captured, name);
    if (cost !== null) warn(`${component}: ${cost}`);
    try {
      for await (const part of parts.compare(context, source, name)) {
        const table = assessPart(part, driver.mending?.makesDropped === true);
        if (table !== null && !tables.some((one) => one.name === table.name)) tables.push(table);
      }
    } catch (error) {
      context.signal.throwIfAborted();
      if (!isOfTheLook(error)) throw error;
      tables.push({ ...bare(name, "changed"), unseen: whyUnfit(error) });
    }
  }
  return {
    component,
    state: tables.length === 0 ? "equal" : "changed",
    ...noFiles,
    tables,
    notes: source.replay === null ? [] : [`it was compared with ${source.words}`],
    unseen: null,
    damaged: tables.some(({ signs }) => signs.length > 0),
  };
};

/** What is gone, as an archive: of a database the only cure that is smaller than all, of a table one that touches nothing live. @param at the moment as typed, where it is not the point itself */
export const archiveCures = (
  point: RecoveryPoint,
  { component, tables }: AssessedComponent,
  at: string | null,
): readonly Cure[] =>
  tables
    .filter(({ kind }) => kind === "removed")
    .map(({ name }) => ({
      kind: "extract" as const,
      words: `take ${name} out of the point, as an archive with all that was its own`,
      command: `refloat extract ${shellWord(`${at === null ? shortId(point.id) : point.manifest.service}:${component}:${name}`)}${at === null ? "" : ` --at ${shellWord(at)}`} --dump --to ${restoredName(`${name}.dump`)}`,
      component,
      predictedMs: null,
      loses: [],
      leaves: ["the archive is put into the database by hand"],
      refused: null,
    }));
