/** What mends only what is damaged: rows, or single files. The recoveries that mend more are plans, which others make. Pure. */
import { shortId } from "../../model/identifiers.ts";
import type { AssessedComponent, Cure } from "../../model/assessment.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { StoppedServer } from "../ports/driver.ts";
import { formatAmount } from "../text/quantity.ts";
import { restoredName } from "../text/restored-name.ts";
import { shellWord } from "../text/shell-word.ts";

export type CureQuestion = {
  readonly point: RecoveryPoint;
  readonly component: AssessedComponent;
  /** The moment as typed, where its rows were compared with that and not with the point itself. */
  readonly at: string | null;
  /** How long it took to compare its rows, which is more than to put them back. */
  readonly comparedMs: number;
};

const extractedAtMost = 3;

/** One table each: what is wrong with one is no reason to touch another. */
const mendCures = ({ point, component, at, comparedMs }: CureQuestion): readonly Cure[] =>
  component.tables.flatMap(({ name, kind, cure }): Cure[] => {
    if (cure === null) return [];
    const { rows, kinds, columns, others } = cure;
    const words = [
      `refloat mend ${point.manifest.service} --at ${at === null ? shortId(point.id) : shellWord(at)} --only ${shellWord(`${component.component}:${name}`)}`,
      ...(kind === "removed" || kinds.length > 1 ? [] : [`--rows ${kinds.join(",")}`]),
      ...(columns === null ? [] : [`--columns ${shellWord(columns.join(","))}`]),
    ];
    const what = columns === null ? name : `${columns.join(", ")} of ${name}`;
    return [
      {
        kind: "mend",
        words:
          kind === "removed"
            ? `make ${name} again with ${formatAmount(rows, "rows")}`
            : `put ${formatAmount(rows, "rows")} back: ${what}`,
        command: words.join(" "),
        component: component.component,
        predictedMs: comparedMs,
        loses: others === 0 ? [] : [`${formatAmount(others, "other changes")} of ${what} since the point`],
        leaves: component.schemaChanged && kind !== "removed" ? ["the schema as it is now"] : [],
        refused: null,
      },
    ];
  });

const extractCures = ({ point, component }: CureQuestion): readonly Cure[] => {
  const { files, samples } = component;
  const harmed = files.removed + files.changed;
  if (harmed === 0 || harmed > extractedAtMost) return [];
  return samples.map(({ path, kind }) => ({
    kind: "extract" as const,
    words: `take ${path} out of the point${kind === "changed" ? ", beside the changed one" : ""}`,
    command: `refloat extract ${shellWord(`${shortId(point.id)}:${component.component}:${path}`)} --to ${restoredName(path)}`,
    component: component.component,
    predictedMs: null,
    loses: [],
    leaves: [],
    refused: null,
  }));
};

/** Before any of the others: what a server has on its disk is newer than any point. Where no line is declared, what is told of the component says it. */
export const startCures = (component: string, { start, loses }: StoppedServer): readonly Cure[] =>
  start === null
    ? []
    : [
        {
          kind: "start",
          words: `start the server of ${component} again`,
          command: start,
          component,
          predictedMs: null,
          loses: [...loses],
          leaves: ["what made it stop"],
          refused: null,
        },
      ];

/** The smallest first. */
export const smallCures = (question: CureQuestion): readonly Cure[] => [
  ...mendCures(question),
  ...extractCures(question),
];
