/** To which moment each component goes, where logs lead on from the point. */
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { Plan, PointChoice } from "../model/plan.ts";
import { formatTime } from "./clock-times.ts";

/**
 * `db to 14:12:07.9, 0.1s before what was asked; uploads to the point, 12m older`; of a composed point `uploads to 7f3a91c2, 3h older`;
 * `db to just after xid 1234, 14:12:07.9 (0/3000060)`
 */
export const describeMoments = ({ intent, forecast }: Plan, now: string, timeZone: string): readonly string[] => {
  const { replays = {}, point, scope } = intent;
  if (point === null || Object.keys(replays).length === 0) return [];
  const wanted = forecast.chosen !== undefined && "at" in forecast.chosen ? forecast.chosen.at : null;
  const memberOf = (component: string) => forecast.composed?.members.find((member) => member.component === component);
  const momentOf = (component: string): number =>
    Date.parse(replays[component]?.at ?? memberOf(component)?.at ?? point.consistentAt);
  const newest = Math.max(...scope.map(momentOf));
  return [
    scope
      .map((component) => {
        const replay = replays[component];
        if (replay === undefined) {
          const member = memberOf(component);
          const olderMs = Math.round((newest - momentOf(component)) / 1000) * 1000;
          const older = olderMs === 0 ? "" : `, ${formatDuration(olderMs)} older`;
          return `${component} to ${member === undefined ? "the point" : shortId(member.point)}${older}`;
        }
        const at = formatTenths(replay.at, now, timeZone);
        const place = replay.place ?? replay.to;
        const target = targetOf(forecast.chosen, component);
        if (target !== null) return `${component} to ${target}, ${at} (${place})`;
        const beforeMs = wanted === null ? 0 : Date.parse(wanted) - Date.parse(replay.at);
        const seconds = (beforeMs / 1000).toFixed(1);
        const before =
          beforeMs < 50
            ? ""
            : `, ${beforeMs < 60_000 ? `${seconds}s` : formatDuration(beforeMs)} before what was asked`;
        return `${component} to ${at}${before} (${place})`;
      })
      .join("; "),
  ];
};

/** Of the component whose log it is a place in. */
const targetOf = (chosen: PointChoice | undefined, component: string): string | null =>
  chosen?.kind === "log-target" && chosen.component === component
    ? `just ${chosen.isBefore ? "before" : "after"} ${chosen.what}`
    : null;

/** `14:12:07.9` */
const formatTenths = (at: string, now: string, timeZone: string): string =>
  `${formatTime(at, now, timeZone)}.${Math.floor((Date.parse(at) % 1000) / 100)}`;
