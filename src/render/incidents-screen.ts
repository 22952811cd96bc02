/** Incidents: what was just done, or all of them. */
import type { Incident } from "../model/incident.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type IncidentsScreenData = {
  /** Newest first. */
  readonly incidents: readonly Incident[];
  readonly done: { readonly act: "opened" | "changed" | "closed"; readonly incident: Incident } | null;
  /** ISO 8601. */
  readonly now: string;
};

export const renderIncidents = ({ incidents, done, now }: IncidentsScreenData, screen: Screen): string => {
  const time = (at: string): string => formatTime(at, now, screen.timeZone);
  if (done !== null) {
    const { act, incident } = done;
    const { service, since, reason } = incident;
    const why = reason === null ? "" : `: ${reason}`;
    return act === "closed"
      ? lines(
          `the incident of ${service} since ${time(since)} is closed${why}`,
          "points expire again by keep:, none is suspect any more, and last is the newest point",
          nextLine(screen, `refloat points ${service}`),
        )
      : lines(
          `an incident of ${service} is open since ${time(since)}${why}`,
          hanging(
            "",
            "no point expires, what was read since is suspect, and last means the last point from before it",
            screen,
          ),
          nextLine(screen, `refloat plan ${service}`, `refloat incident close ${service}`),
        );
  }
  const open = incidents.find(({ closedAt }) => closedAt === null);
  if (incidents.length === 0) return lines("no incident is known", nextLine(screen, "refloat status"));
  return lines(
    renderTable(
      [
        { title: "SERVICE" },
        { title: "SINCE" },
        { title: "OPENED" },
        { title: "CLOSED" },
        { title: "BY" },
        { title: "REASON", wraps: true },
      ],
      incidents.map(({ service, since, openedAt, closedAt, by, reason }) => [
        service,
        time(since),
        time(openedAt),
        closedAt === null ? { text: "open", style: "red" } : time(closedAt),
        by,
        reason ?? "",
      ]),
      screen,
    ),
    nextLine(screen, open === undefined ? "refloat status" : `refloat plan ${open.service}`),
  );
};
