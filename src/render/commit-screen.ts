/** What a commit drops for good, and what of it is nowhere else then. */
import { describeUnit } from "../core/run/describe-unit.ts";
import { type LeftWrites, exportsOf } from "../core/run/lost-writes.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, asTypedOn, lines } from "./screen.ts";

export type CommitOnScreen = {
  readonly service: string;
  readonly run: number;
  readonly purpose: "recover" | "undo";
  readonly dropped: readonly { readonly component: string; readonly name: string }[];
  /** As the run has told it. */
  readonly lost: readonly LeftWrites[];
};

const unitLine = (unit: LeftWrites["units"][number], component: string): string => {
  const files = exportsOf(unit);
  const where = files.length === 0 ? "in no file" : `exported to ${files.join(" and ")}`;
  return `${component}: ${describeUnit(unit)}, ${where}${unit.byHand ? "; reconcile puts none of them back" : ""}`;
};

export const renderCommit = ({ service, run, purpose, dropped, lost }: CommitOnScreen, screen: Screen): string => {
  const told = lost.flatMap(({ component, units, gaps }) => [
    ...units.map((unit) => unitLine(unit, component)),
    ...gaps.map((gap) => `${component}: ${gap}`),
  ]);
  const item = (text: string): readonly string[] => hanging("  ", text, screen);
  return lines(
    `Commit run ${run} of ${service} drops for good:`,
    dropped.flatMap(({ component, name }) => item(`${component}: ${name}`)),
    told.length === 0
      ? null
      : screen.paint(
          "yellow",
          purpose === "undo"
            ? "Only that side has what came after its last point; then only the files have it:"
            : asTypedOn(
                screen,
                `Came after the point, and is then gone unless refloat reconcile ${run} has put it back or a file has it:`,
              ),
        ),
    told.flatMap(item),
  );
};
