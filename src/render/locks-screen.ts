/** Until when each point is safe, as the store itself says, and what that does and does not mean. */
import type { LockMode } from "../model/declaration.ts";
import type { PointLock, VaultLocks } from "../core/points/point-locks.ts";
import { formatAmount } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

/** @param now ISO 8601 */
export const renderLocks = (
  { location, support, points, unreadable }: VaultLocks,
  now: string,
  screen: Screen,
): string => {
  const byRoot = support.keptBy === "file-system";
  if (!support.locks && points.every(({ until }) => until === null)) {
    return lines(
      `${screen.paint("yellow", "no point is locked")} in the vault at ${location}: ${support.reason ?? "its store keeps no locks"}`,
      hanging("guaranteed      ", "what was changed or removed is noticed, never returned as data", screen),
      hanging("not guaranteed  ", "that points survive someone who may write to the vault, or its owner", screen),
      byRoot
        ? hanging(
            "to lock         ",
            "capture as root on a file system with the immutable flag (ext4, xfs, btrfs), or use a bucket with Object Lock",
            screen,
          )
        : [],
      nextLine(screen, "refloat verify"),
    );
  }
  const broken = unreadable.flatMap(({ id, reason }) =>
    hanging(`${shortId(id)}  `, `cannot be read: ${reason}`, screen),
  );
  if (points.length === 0 && broken.length === 0) return `the vault at ${location} can lock, and holds no point yet`;
  const time = (instant: string): string => formatTime(instant, now, screen.timeZone);
  const files = points.reduce((sum, point) => sum + point.files, 0);
  return lines(
    renderTable(
      [
        { title: "POINT" },
        { title: "SERVICE" },
        { title: "TAKEN" },
        { title: "SAFE UNTIL" },
        { title: "FROM" },
        { title: "FILES", align: "right" },
        { title: "NOTE", wraps: true },
      ],
      points.map((point) => [
        shortId(point.point),
        point.service,
        time(point.at),
        point.until === null ? screen.paint("red", "not locked") : time(point.until),
        point.mode === null ? "" : fromWhom(point.mode, byRoot),
        String(point.files),
        noteOf(point, time, byRoot),
      ]),
      screen,
    ),
    broken,
    `asked of the store for each of ${formatAmount(files, "files")}, those that points share counted with each`,
    byRoot ? folderGuarantees(screen) : bucketGuarantees(screen),
    support.locks ? [] : hanging("new points      ", `are not locked from here: ${support.reason ?? ""}`, screen),
    nextLine(screen, "refloat verify"),
  );
};

const fromWhom = (mode: LockMode, byRoot: boolean): string => {
  if (byRoot) return "all but root";
  return mode === "compliance" ? "everyone" : "all but those who may bypass";
};

const bucketGuarantees = (screen: Screen) =>
  hanging(
    "not guaranteed  ",
    "that the bucket shows them: a deletion hides a file and leaves its locked version; --vault-as-of reads that",
    screen,
  );

/** The flag obeys root: it is said, so that nobody takes it for more. */
const folderGuarantees = (screen: Screen) =>
  [
    hanging(
      "guaranteed      ",
      "against mistakes, and against anybody without root: no locked file can be changed, renamed or removed (`lsattr` shows its i)",
      screen,
    ),
    hanging(
      "not guaranteed  ",
      "against root, who can lift it (chattr -i); against a clock that is set forward; against the loss of the disk; that folders stay where they are",
      screen,
    ),
  ].flat();

const noteOf = (point: PointLock, time: (instant: string) => string, byRoot: boolean): string => {
  if (point.missing > 0)
    return `${formatAmount(point.missing, "files")} removed${byRoot ? " or damaged" : ", hidden or replaced; look with --vault-as-of"}`;
  if (point.unlocked > 0)
    return `${formatAmount(point.unlocked, "files")} without a lock, one is ${point.weakest ?? ""}`;
  if (point.declared === null) return "no lock was declared";
  return point.kept ? "as declared" : `declared: ${point.declared.mode} until ${time(point.declared.until)}`;
};
