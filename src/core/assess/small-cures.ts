/** What mends only what is damaged: rows, or single files. The recoveries that mend more are plans, which others make. Pure. */
import { shortId } from "../../model/identifiers.ts";
import type { AssessedComponent, Cure } from "../../model/assessment.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { formatAmount, formatList } from "../text/quantity.ts";
import { shellWord } from "../text/shell-word.ts";

export type CureQuestion = {
  readonly point: RecoveryPoint;
  readonly component: AssessedComponent;
  /** How long it took to compare its rows, which is more than to put them back. */
  readonly comparedMs: number;
};

const extractedAtMost = 3;

const mendCure = ({ point, component, comparedMs }: CureQuestion): Cure | null => {
  const damaged = component.tables.filter(({ signs, unseen }) => signs.length > 0 && unseen === null);
  if (damaged.length === 0) return null;
  const places = damaged.map(({ name }) => `${component.component}:${name}`);
  const columns = damaged.flatMap((table) => table.columns);
  // Only where each sign is about columns: rows that are gone come back whole.
  const byColumn = damaged.every(({ columns: some, rows }) => some.length > 0 && rows?.gone === 0);
  const changed = damaged.reduce(
    (sum, { rows, before }) => sum + (rows === null ? (before ?? 0) : rows.changed + rows.gone),
    0,
  );
  const only = [
    ...places.flatMap((place) => ["--only", shellWord(place)]),
    ...(byColumn ? ["--columns", shellWord([...new Set(columns)].join(","))] : []),
  ];
  const what = formatList(damaged.map(({ name }) => name));
  return {
    kind: "mend",
    words: `put ${formatAmount(changed, "rows")} of ${what} back`,
    command: `refloat mend ${point.manifest.service} --at ${shortId(point.id)} ${only.join(" ")}`,
    component: component.component,
    predictedMs: comparedMs,
    loses: [],
    leaves: [
      ...(component.schemaChanged ? ["the schema stays as it is now"] : []),
      ...component.tables
        .filter((table) => table.signs.length > 0 && !damaged.includes(table))
        .map(({ name }) => `${name} stays as it is`),
    ],
    refused: null,
  };
};

const extractCures = ({ point, component }: CureQuestion): readonly Cure[] => {
  const { files, samples } = component;
  const harmed = files.removed + files.changed;
  if (harmed === 0 || harmed > extractedAtMost) return [];
  return samples.map(({ path, kind }) => ({
    kind: "extract" as const,
    words: `take ${path} out of the point${kind === "changed" ? ", beside the changed one" : ""}`,
    command: `refloat extract ${shellWord(`${shortId(point.id)}:${component.component}:${path}`)} --to PLACE`,
    component: component.component,
    predictedMs: null,
    loses: [],
    leaves: [],
    refused: null,
  }));
};

/** The smallest first. */
export const smallCures = (question: CureQuestion): readonly Cure[] => {
  const mend = mendCure(question);
  return [...(mend === null ? [] : [mend]), ...extractCures(question)];
};
