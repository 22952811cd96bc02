/** The recovery points of a service: a lane of time, a table, the order of recovery, and the point to look at first. */
import { waves } from "../core/graph/order.ts";
import type { ReachableRange } from "../core/logs/reachable-ranges.ts";
import { passedAtCapture, schemaDifferences } from "../core/points/closer-point.ts";
import { isSuspect } from "../core/points/open-incident.ts";
import { newestFirst } from "../core/points/select-point.ts";
import { formatSkew } from "../core/points/composition-words.ts";
import { formatBytes, formatList } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { Incident } from "../model/incident.ts";
import type { Mark } from "../model/mark.ts";
import { formatTime } from "./clock-times.ts";
import { cutText } from "./fit-text.ts";
import { laneSigns } from "./lane-signs.ts";
import { type Screen, type Style, lines, nextLine } from "./screen.ts";
import { type Row, renderTable } from "./table.ts";
import { renderLane } from "./time-lane.ts";

export type PointsScreenData = {
  readonly service: string;
  /** In any order. */
  readonly points: readonly RecoveryPoint[];
  /** By id: all that the point needs was read at this instant or later, and was sound. */
  readonly verified: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly now: string;
  /** A person's word that a point must not expire. */
  readonly holds?: readonly { readonly point: string; readonly reason: string }[];
  /** In any order. */
  readonly marks?: readonly Mark[];
  /** The one that is open. */
  readonly incident?: Incident | null;
  /** Between which moments logs lead to any second, in any order. */
  readonly reachable?: readonly ReachableRange[];
  /** Each point in a row of its own, however alike they are. */
  readonly all: boolean;
};

export const renderPoints = (data: PointsScreenData, screen: Screen): string => {
  const { service, points, now } = data;
  const ordered = newestFirst(points);
  const [newest] = ordered;
  if (newest === undefined)
    return lines(`${service} has no recovery point yet`, nextLine(screen, `refloat capture ${service}`));
  const since = data.incident?.since ?? null;
  const best =
    ordered.find(
      (point) => point.missing.length === 0 && passedAtCapture(point.manifest) && !isSuspect(point, since),
    ) ?? newest;
  return lines(
    renderLane(
      {
        label: service,
        instants: ordered.map(({ manifest }) => manifest.consistentAt),
        marks: marksSince(data, ordered).map(({ at }) => at),
        ranges: (data.reachable ?? []).map(({ fromAt, toAt }) => ({ from: fromAt, to: toAt })),
        now,
      },
      screen,
    ),
    renderTable(
      [
        { title: "POINT" },
        { title: "TAKEN" },
        { title: "SIZE", align: "right" },
        { title: "NEW", align: "right" },
        { title: "WINDOW" },
        { title: "LOCKED" },
        { title: "NOTE", wraps: true },
      ],
      rowsOf(ordered, data, screen),
      screen,
    ),
    newest.manifest.recoveryOrder.length === 0
      ? "a runbook: manual steps alone"
      : `recovery order: ${describeOrder(newest)}`,
    nextLine(screen, `refloat plan ${service} --at ${shortId(best.id)}`),
  );
};

/** Newest first. Nothing can be brought back to before the oldest point, so a mark there serves nobody. */
const marksSince = ({ marks = [] }: PointsScreenData, ordered: readonly RecoveryPoint[]): readonly Mark[] => {
  const oldest = ordered.at(-1)?.manifest.consistentAt ?? "";
  return marks
    .filter(({ at }) => Date.parse(at) >= Date.parse(oldest))
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
};

const noteOf = (
  point: RecoveryPoint,
  previous: RecoveryPoint | undefined,
  { holds = [], incident }: PointsScreenData,
): string => {
  const { manifest, missing } = point;
  const failed = [...manifest.checks, ...manifest.invariants].filter(({ status }) => status === "failed");
  const reshaped =
    previous !== undefined &&
    schemaDifferences(previous.manifest, manifest, Object.keys(manifest.components)).length > 0;
  const warned = Object.values(manifest.components).some(({ warnings }) => warnings.length > 0);
  return [
    ...(manifest.leftBy === undefined ? [] : [`left by the undo of run ${manifest.leftBy.run}`]),
    ...(isSuspect(point, incident?.since ?? null) ? ["suspect"] : []),
    ...(point.composed === undefined
      ? []
      : [`only ${(manifest.only ?? []).join(", ")}${composedNote(point.composed)}`]),
    ...(missing.length === 0 ? [] : [`damaged: ${missing.join(", ")} lost`]),
    ...(failed.length === 0 ? [] : [`check fails: ${failed.map(({ subject }) => cutText(subject, 40)).join(", ")}`]),
    ...(reshaped ? ["new schema"] : []),
    ...(warned ? ["changed while read"] : []),
    ...(manifest.consistency.unquiesced === undefined ? [] : ["not quiesced"]),
    ...(manifest.tags ?? []).map((tag) => `tag ${cutText(tag, 40)}`),
    ...holds.filter((hold) => hold.point === point.id).map(({ reason }) => `held: ${cutText(reason, 40)}`),
  ].join("; ");
};

/** `, with uploads 3h older` */
const composedNote = ({ members, absent }: NonNullable<RecoveryPoint["composed"]>): string => {
  const older = members.filter(({ skewMs }) => skewMs > 0);
  return [
    ...(older.length === 0
      ? []
      : [`, with ${formatList(older.map(({ component, skewMs }) => `${component} ${formatSkew(skewMs)} older`))}`]),
    ...(absent.length === 0 ? [] : [`, without ${formatList(absent)}`]),
  ].join("");
};

/** `verified`, with its age once that is more than a month: disks rot. */
const verifiedNote = (since: string | undefined, now: string): string => {
  if (since === undefined) return "";
  const days = Math.floor((Date.parse(now) - Date.parse(since)) / 86_400_000);
  return days <= 30 ? "verified" : `verified ${days}d ago`;
};

/** How many alike points are shown before the rest is folded: a fault needs one row, good points are what is chosen from. */
const shownAlike = (note: string): number => (note === "" ? 8 : 1);

const rowsOf = (ordered: readonly RecoveryPoint[], data: PointsScreenData, screen: Screen): readonly Row[] => {
  const { verified, now, all } = data;
  const notes = ordered.map((point, index) => noteOf(point, ordered[index + 1], data));
  const moments = momentsBetween(data, ordered, screen);
  const rows: Row[] = [];
  const isAfter = (point: RecoveryPoint | undefined): boolean =>
    moments[0] !== undefined &&
    point !== undefined &&
    Date.parse(moments[0].at) >= Date.parse(point.manifest.consistentAt);
  let index = 0;
  while (index < ordered.length) {
    while (isAfter(ordered[index])) rows.push(...moments.splice(0, 1).map(({ row }) => row));
    const note = notes[index] ?? "";
    let end = index + 1;
    while (end < ordered.length && notes[end] === note && !isAfter(ordered[end])) end += 1;
    const shown = all || end - index - shownAlike(note) < 2 ? end - index : shownAlike(note);
    for (const point of ordered.slice(index, index + shown)) {
      const proven = verifiedNote(verified[point.id], now);
      rows.push(rowOf(point, [note, proven].filter((part) => part !== "").join("; "), now, screen));
    }
    const folded = end - index - shown;
    if (folded > 0) rows.push({ note: `... ${folded} like it (--all)` });
    index = end;
  }
  return rows;
};

/** What stands between the points, so that it is seen which one is the last before it. Newest first. */
const momentsBetween = (
  data: PointsScreenData,
  ordered: readonly RecoveryPoint[],
  screen: Screen,
): { readonly at: string; readonly row: Row }[] => {
  const { incident, now } = data;
  const rowAt = (at: string, sign: string, rest: string, style: Style): { readonly at: string; readonly row: Row } => ({
    at,
    row: { cells: [`      ${sign}`, formatTime(at, now, screen.timeZone)], rest, style },
  });
  return [
    ...marksSince(data, ordered).map(({ at, name }) => rowAt(at, laneSigns(screen).mark, name, "cyan")),
    ...(incident == null ? [] : [rowAt(incident.since, "!", describeIncident(incident), "red")]),
  ].toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
};

const describeIncident = ({ reason }: Incident): string =>
  reason === null ? "an incident is open since then" : `an incident is open since then: ${reason}`;

const rowOf = ({ id, manifest, missing }: RecoveryPoint, note: string, now: string, { timeZone }: Screen): Row => {
  const members = Object.values(manifest.components);
  const sum = (part: "sizeBytes" | "newBytes"): number => members.reduce((total, member) => total + member[part], 0);
  const { mode, windowMs, frozen } = manifest.consistency;
  const good = missing.length === 0 && passedAtCapture(manifest);
  return [
    { text: shortId(id), style: good ? "green" : "yellow" },
    formatTime(manifest.consistentAt, now, timeZone),
    formatBytes(sum("sizeBytes")),
    formatBytes(sum("newBytes")),
    `${formatDuration(frozen?.heldMs ?? windowMs)}${mode === "single" ? "" : ` ${mode}`}`,
    // Whether the store keeps it, `vault locks` asks it file by file.
    manifest.declaration.lock === undefined ? "no" : "asked",
    { text: note, style: "yellow" },
  ];
};

/** `db 1.1 GB, uploads 180 MB > app 9 MB > proxy 4 kB` */
const describeOrder = ({ manifest }: RecoveryPoint): string =>
  waves(manifest.graph)
    .map((wave) =>
      wave
        .flatMap((name) => {
          const member = manifest.components[name];
          return member === undefined ? [] : [`${name} ${formatBytes(member.sizeBytes)}`];
        })
        .join(", "),
    )
    .filter((wave) => wave !== "")
    .join(" > ");
