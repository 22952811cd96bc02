/** To which moment each component goes, where logs lead on from the point. */
import { formatDuration } from "../core/time/duration.ts";
import type { Plan } from "../model/plan.ts";
import { formatTime } from "./clock-times.ts";

/** `db to 14:12:07.9, 0.1s before what was asked; uploads to the point, 12m older` */
export const describeMoments = ({ intent, forecast }: Plan, now: string, timeZone: string): readonly string[] => {
  const { replays = {}, point, scope } = intent;
  if (point === null || Object.keys(replays).length === 0) return [];
  const wanted = forecast.chosen !== undefined && "at" in forecast.chosen ? forecast.chosen.at : null;
  const newest = Math.max(...Object.values(replays).map(({ at }) => Date.parse(at)));
  return [
    scope
      .map((component) => {
        const replay = replays[component];
        if (replay === undefined) {
          const olderMs = newest - Date.parse(point.consistentAt);
          return `${component} to the point, ${formatDuration(Math.round(olderMs / 1000) * 1000)} older`;
        }
        const beforeMs = wanted === null ? 0 : Date.parse(wanted) - Date.parse(replay.at);
        const seconds = (beforeMs / 1000).toFixed(1);
        const before =
          beforeMs < 50
            ? ""
            : `, ${beforeMs < 60_000 ? `${seconds}s` : formatDuration(beforeMs)} before what was asked`;
        return `${component} to ${formatTenths(replay.at, now, timeZone)}${before} (${replay.place ?? replay.to})`;
      })
      .join("; "),
  ];
};

/** `14:12:07.9` */
const formatTenths = (at: string, now: string, timeZone: string): string =>
  `${formatTime(at, now, timeZone)}.${Math.floor((Date.parse(at) % 1000) / 100)}`;
