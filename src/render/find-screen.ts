/** What a search found: each file with its versions, newest first, and the points that hold them. */
import type { CapturedTable } from "../core/ports/driver.ts";
import type { FolderEntry } from "../core/ports/vault-snapshots.ts";
import { formatAmount, formatBytes, formatCount } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { shortId } from "../model/identifiers.ts";
import { restoredName } from "../core/text/restored-name.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { formatStamp } from "./entry-line.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type FoundOnScreen = {
  readonly service: string;
  readonly component: string;
  readonly path: Uint8Array | null;
  readonly table: string | null;
  readonly versions: readonly {
    readonly points: readonly string[];
    readonly entry: FolderEntry | null;
    readonly table: CapturedTable | null;
  }[];
};

const nameOf = ({ path, table }: FoundOnScreen): string => showName(path ?? Buffer.from(table ?? ""));

/** More ids than these are no help to a person; the first is the newest, the last the oldest. */
const mostPoints = 6;

export const pointsText = (points: readonly string[]): string => {
  const shown = points.length > mostPoints ? [...points.slice(0, mostPoints - 1), points.at(-1) ?? ""] : points;
  const ids = shown.map(shortId);
  return points.length > mostPoints
    ? `${ids.slice(0, -1).join(" ")} ... ${ids.at(-1)} (${formatCount(points.length)} points)`
    : ids.join(" ");
};

const versionOf = ({ entry, table }: FoundOnScreen["versions"][number], { timeZone }: Screen): string => {
  if (entry === null) return `${formatBytes(table?.sizeBytes ?? 0)}  ${formatAmount(table?.rows ?? 0, "rows")}`;
  const target = entry.linkTarget === null ? formatBytes(entry.sizeBytes) : `-> ${showName(entry.linkTarget)}`;
  return `${target}  ${formatStamp(entry.modifiedNs, timeZone)}`;
};

export const renderFound = (found: FoundOnScreen, screen: Screen): string =>
  lines(
    `${screen.paint("bold", `${found.component}:${nameOf(found)}`)}  ${found.service}`,
    found.versions.flatMap((version) =>
      hanging(`  ${versionOf(version, screen)}  in `, pointsText(version.points), screen),
    ),
  );

export type FindCounts = {
  readonly points: number;
  readonly found: number;
  readonly versions: number;
  readonly foldersRead: number;
  readonly foldersSkipped: number;
  readonly unhashed: number;
  readonly unreadable: readonly { readonly component: string; readonly path: Uint8Array; readonly reason: string }[];
};

export const renderFindSummary = (sum: FindCounts, first: FoundOnScreen | null, screen: Screen): string => {
  const [newest] = first?.versions ?? [];
  const place =
    first === null || newest === undefined
      ? null
      : shellWord(`${shortId(newest.points[0] ?? "")}:${first.component}:${nameOf(first)}`);
  return lines(
    `${formatAmount(sum.found, "names")} in ${formatAmount(sum.versions, "versions")}; ${formatAmount(sum.points, "points")} searched, ` +
      `${formatCount(sum.foldersRead)} folders read, ${formatCount(sum.foldersSkipped)} equal ones skipped`,
    sum.unhashed === 0
      ? null
      : `${formatAmount(sum.unhashed, "files")} of several pieces were not compared by SHA-256: --read-data reads them`,
    sum.unreadable.map(({ component, path, reason }) =>
      screen.paint("red", `not searched: ${component}:${showName(path)}: ${reason}`),
    ),
    place === null
      ? null
      : nextLine(screen, `refloat extract ${place} --to ${restoredName(first === null ? "" : nameOf(first))}`),
  );
};
