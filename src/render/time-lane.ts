/** A lane of time: where the points and marks lie between the oldest and now, with the hours (or days) above it. */
import { padEnd, textWidth } from "./fit-text.ts";
import { laneSigns } from "./lane-signs.ts";
import type { Screen } from "./screen.ts";
import { timeScale } from "./time-scale.ts";

export type Lane = {
  readonly label: string;
  /** ISO 8601, in any order; at least one. */
  readonly instants: readonly string[];
  /** Moments that were named; before the first instant they are left out. */
  readonly marks?: readonly string[];
  /** Between which any second can be reached. */
  readonly ranges?: readonly { readonly from: string; readonly to: string }[];
  readonly now: string;
};

export const renderLane = (
  { label, instants, marks = [], ranges = [], now }: Lane,
  screen: Screen,
): readonly string[] => {
  const signs = laneSigns(screen);
  const legend = [
    `${signs.point} point`,
    ...(marks.length === 0 ? [] : [`${signs.mark} mark`]),
    ...(ranges.length === 0 ? [] : [`${signs.range} any second`]),
  ].join(" ");
  const labelWidth = textWidth(label) + 2;
  const begin = Math.min(...instants.map((instant) => Date.parse(instant)), Date.parse(now));
  const scale = timeScale({ begin, now, labelWidth, sideWidth: textWidth(legend) }, screen);
  const columns = (moments: readonly string[]): ReadonlySet<number> =>
    new Set(moments.map((moment) => scale.columnOf(Date.parse(moment))));
  const [points, marked] = [columns(instants), columns(marks)];
  const isInRange = (column: number): boolean =>
    ranges.some(
      ({ from, to }) => scale.columnOf(Date.parse(from)) <= column && column <= scale.columnOf(Date.parse(to)),
    );
  // A point and a mark may share a column; the mark is rarer, and says why one looks there.
  const lane = Array.from({ length: scale.width }, (_, column) =>
    marked.has(column) ? signs.mark : points.has(column) ? signs.point : isInRange(column) ? signs.range : " ",
  ).join("");
  return [scale.header, `${padEnd(label, labelWidth)}${padEnd(lane, scale.rest)}  ${screen.paint("dim", legend)}`];
};
