/** The named moments of a service. */
import { shellWord } from "../core/text/shell-word.ts";
import { shortId } from "../model/identifiers.ts";
import type { Alignment, Mark } from "../model/mark.ts";
import { formatList } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type MarksScreenData = {
  readonly service: string;
  /** Newest first. */
  readonly marks: readonly Mark[];
  readonly added: Mark | null;
  readonly removed: Mark | null;
  readonly warnings?: readonly string[];
  /** ISO 8601. */
  readonly now: string;
};

/** `aligned: markers in the logs of db and billing, within 12ms (held 0.3s)` */
const describeAlignment = ({ mode, windowMs, heldMs, why, markers, unmarked = {} }: Alignment): string => {
  const places = `markers in the logs of ${formatList(Object.keys(markers), 6)}, within ${formatDuration(windowMs)}`;
  const held = heldMs === undefined ? (why ?? "") : `held ${formatDuration(heldMs)}`;
  const without = Object.entries(unmarked).map(([component, reason]) => `; none in that of ${component}: ${reason}`);
  return `${mode}: ${places}${held === "" ? "" : ` (${held})`}${without.join("")}`;
};

export const renderMarks = (data: MarksScreenData, screen: Screen): string => {
  const { service, marks, added, removed, warnings = [], now } = data;
  const time = (at: string): string => formatTime(at, now, screen.timeZone);
  if (added !== null) {
    return lines(
      `marked ${service} at ${time(added.at)}: ${added.name}`,
      added.aligned === undefined ? [] : hanging("", describeAlignment(added.aligned), screen),
      warnings.flatMap((warning) => hanging("WARNING ", warning, screen)),
      nextLine(screen, `refloat plan ${service} --at ${shellWord(`before ${added.name}`)}`),
    );
  }
  const told = removed === null ? null : `removed the mark of ${time(removed.at)}: ${removed.name}`;
  if (marks.length === 0)
    return lines(told, `${service} has no marks`, nextLine(screen, `refloat mark ${service} "upgrade 2.5.0"`));
  return lines(
    told,
    renderTable(
      [
        { title: "MARK" },
        { title: "AT" },
        { title: "NAME", wraps: true },
        { title: "LOGS", wraps: true },
        { title: "BY" },
      ],
      marks.map(({ id, at, name, by, aligned }) => [
        shortId(id),
        time(at),
        name,
        aligned === undefined ? "" : `${aligned.mode}: ${formatList(Object.keys(aligned.markers), 6)}`,
        by,
      ]),
      screen,
    ),
    nextLine(screen, `refloat plan ${service} --at ${shellWord(`before ${marks[0]?.name ?? ""}`)}`),
  );
};
