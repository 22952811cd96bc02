/** The named moments of a service. */
import { shellWord } from "../core/text/shell-word.ts";
import { shortId } from "../model/identifiers.ts";
import type { Mark } from "../model/mark.ts";
import { formatTime } from "./clock-times.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type MarksScreenData = {
  readonly service: string;
  /** Newest first. */
  readonly marks: readonly Mark[];
  readonly added: Mark | null;
  readonly removed: Mark | null;
  /** ISO 8601. */
  readonly now: string;
};

export const renderMarks = (data: MarksScreenData, screen: Screen): string => {
  const { service, marks, added, removed, now } = data;
  const time = (at: string): string => formatTime(at, now, screen.timeZone);
  if (added !== null) {
    return lines(
      `marked ${service} at ${time(added.at)}: ${added.name}`,
      nextLine(screen, `refloat plan ${service} --at ${shellWord(`before ${added.name}`)}`),
    );
  }
  const told = removed === null ? null : `removed the mark of ${time(removed.at)}: ${removed.name}`;
  if (marks.length === 0)
    return lines(told, `${service} has no marks`, nextLine(screen, `refloat mark ${service} "upgrade 2.5.0"`));
  return lines(
    told,
    renderTable(
      [{ title: "MARK" }, { title: "AT" }, { title: "NAME", wraps: true }, { title: "BY" }],
      marks.map(({ id, at, name, by }) => [shortId(id), time(at), name, by]),
      screen,
    ),
    nextLine(screen, `refloat plan ${service} --at ${shellWord(`before ${marks[0]?.name ?? ""}`)}`),
  );
};
