/** What was put into the recovered side, and what is left for a person. */
import { formatAmount, formatCount } from "../core/text/quantity.ts";
import { type MendedTable, type MendProposal, rowsPutBack } from "../model/mend.ts";
import { hanging } from "./fit-text.ts";
import { shortDigest, shownValue } from "./mend-screen.ts";
import { type Screen, asTypedOn, lines, nextLine } from "./screen.ts";

export type ReconciledOnScreen = {
  readonly service: string;
  readonly run: number;
  readonly batches: readonly (MendProposal & { readonly component: string; readonly applied: boolean })[];
  readonly left: readonly { readonly component: string; readonly side: string; readonly why: string }[];
  readonly apply: boolean;
};

const label = "AS THERE ";

/** As many columns are named; the first have the most rows. */
const mostAlike = 3;

const kindsOf = ({ name, puts, changed }: MendedTable): readonly string[] => [
  ...(puts.gone === 0 ? [] : [`${formatAmount(puts.gone, "rows")} of ${name} are new`]),
  ...(puts.changed === 0
    ? []
    : [
        `${formatAmount(puts.changed, "rows")} of ${name} get what the old side has, in place of what the recovered side has`,
      ]),
  ...(changed === puts.changed
    ? []
    : [`${formatAmount(changed - puts.changed, "rows")} of ${name} that differ there stay as they are here`]),
];

const alikeOf = ({ name, alike }: MendedTable): readonly string[] =>
  alike
    .slice(0, mostAlike)
    .map(
      ({ column, value, changed, gone }) =>
        `${formatAmount(gone, "rows")} of ${name} come back with ${column} ${shownValue(value)}, which ${formatCount(changed)} rows that differ have there too: look whether that is the damage`,
    );

/**
 * What was done to rows on the old side before the cutover comes with them: a bad statement reached rows that were written after the point as well. Empty
 * where nothing comes back.
 */
export const renderAsWritten = (proposal: MendProposal, screen: Screen): string => {
  const rows = rowsPutBack(proposal);
  if (rows === 0) return "";
  const told = proposal.tables.filter(({ puts }) => puts.gone + puts.changed > 0);
  const [first, ...signs] = [
    `${formatAmount(rows, "rows")} come as the old side has them, with whatever changed them there after they were written: ${told.flatMap(kindsOf).join(", ")}`,
    ...told.flatMap(alikeOf),
  ];
  return lines(
    hanging(label, first ?? "", screen),
    signs.flatMap((sign) => hanging(label, sign, screen).map((line) => screen.paint("yellow", line))),
  );
};

/** Everything that only the old side has and that nobody puts back. */
const leftOutLines = (
  { run, batches }: Pick<ReconciledOnScreen, "run" | "batches">,
  screen: Screen,
): readonly string[] => {
  const rows = batches.flatMap(({ component, database, leftOut }) =>
    leftOut.map(({ table, rows: count, file }) => {
      const place = database === null ? component : `${component} ${database}`;
      const amount = count === null ? "nobody can tell how many rows" : formatAmount(count, "rows");
      return `  ${place} ${table}: ${amount}${file === null ? ", in the old side alone" : `, as CSV in ${file}`}`;
    }),
  );
  return rows.length === 0
    ? []
    : [screen.paint("red", asTypedOn(screen, `NOT PUT BACK, and gone from here with refloat commit ${run}:`)), ...rows];
};

export const renderReconciled = (
  { service, run, batches, left, apply }: ReconciledOnScreen,
  screen: Screen,
): string => {
  const waiting = batches.filter((batch) => !batch.applied && rowsPutBack(batch) > 0);
  const nothing = batches.every((batch) => rowsPutBack(batch) === 0 && batch.leftOut.length === 0);
  return lines(
    nothing && batches.length > 0
      ? `the recovered side has every row that was added to the old side of run ${run}, as far as they can be compared`
      : null,
    left.map(
      ({ component, side, why }) =>
        `LEFT     ${component}: ${why}; its old side is ${side}, and what is known of what was written to it is in the report`,
    ),
    leftOutLines({ run, batches }, screen),
    apply ? null : waiting.length === 0 ? null : `${formatAmount(waiting.length, "batches")} written and not run`,
    nextLine(
      screen,
      ...waiting.map(({ digest }) => `refloat mend ${service} --proposal ${shortDigest(digest)}`),
      `refloat runs ${run}`,
    ),
  );
};
