/** What of each point came to the second vault, and what that copy is good for now. */
import type { CopiedPoint, VaultCopy } from "../core/points/copied-points.ts";
import { formatAmount, formatBytes } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

/** @param now ISO 8601 */
export const renderCopy = (copy: VaultCopy, now: string, screen: Screen): string => {
  const { dryRun, to, points, holds, marks, incidents, logs, escrows, unreadable } = copy;
  const moved = points.filter(({ state }) => state === "copied" || state === "missing");
  const there = points.filter(({ state }) => state === "there").length;
  const shown = points.filter(({ state }) => state !== "there");
  const locked = moved.filter(({ lockUntil }) => lockUntil !== null).length;
  const bytes = moved.reduce((sum, { newBytes }) => sum + newBytes, 0);
  const what = [
    `${formatAmount(moved.length, "points")} ${dryRun ? "to copy" : "copied"}, ${dryRun ? "about " : ""}${formatBytes(bytes)} ${dryRun ? "to add" : "added"}`,
    ...(there === 0 ? [] : [`${there} there already`]),
    ...(holds === 0 ? [] : [`${formatAmount(holds, "holds")} carried over`]),
    ...(incidents === 0 ? [] : [`${formatAmount(incidents, "records")} of incidents carried over`]),
    ...(marks === 0 ? [] : [`${formatAmount(marks, "records")} of marks carried over`]),
    ...(logs === 0 ? [] : [`${formatAmount(logs, "pieces")} of logs ${dryRun ? "to carry" : "carried"} over`]),
    ...(escrows === 0 ? [] : [`${formatAmount(escrows, "escrow bundles")} ${dryRun ? "to carry" : "carried"} over`]),
  ];
  return lines(
    shown.length === 0
      ? []
      : renderTable(
          [
            { title: "POINT" },
            { title: "SERVICE" },
            { title: "TAKEN" },
            { title: dryRun ? "WOULD ADD" : "ADDED", align: "right" },
            { title: "NOTE", wraps: true },
          ],
          shown.map((point) => [
            shortId(point.point),
            point.service,
            formatTime(point.takenAt, now, screen.timeZone),
            point.state === "damaged" || point.state === "gone" ? "" : formatBytes(point.newBytes),
            noteOf(point, copy, now, screen),
          ]),
          screen,
        ),
    unreadable.flatMap(({ id, reason }) =>
      hanging(`${shortId(id)}  `, screen.paint("red", `cannot be read: ${reason}`), screen),
    ),
    hanging(`vault at ${to.location}: `, what.join("; "), screen),
    locked > 0 && !to.locks
      ? hanging(
          "not locked      ",
          `the store of the copy keeps no locks: ${formatAmount(locked, "points")} can be deleted there by whoever may write to it`,
          screen,
        )
      : [],
    points.some(({ state }) => state === "damaged")
      ? nextLine(screen, `refloat verify --read-data --repair --from ${to.location}`)
      : dryRun
        ? nextLine(screen, `refloat vault copy --to ${to.location}`)
        : nextLine(screen, `refloat --vault ${to.location} points`),
  );
};

const noteOf = (
  { state, reason, lockUntil }: CopiedPoint,
  { to }: VaultCopy,
  now: string,
  { paint, timeZone }: Screen,
): string => {
  if (state === "gone") return "expired here meanwhile";
  if (state === "damaged") return paint("red", `not copied: ${reason ?? "damaged"}`);
  return lockUntil !== null && to.locks ? `locked until ${formatTime(lockUntil, now, timeZone)}` : "";
};
