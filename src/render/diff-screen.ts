/** What changed between two points: first in a few lines, then file by file. */
import type { Difference } from "../core/granular/compare-trees.ts";
import type { ComponentDiff } from "../core/granular/component-diff.ts";
import type { ValueDifference } from "../core/granular/compare-values.ts";
import type { CapturedTable } from "../core/ports/driver.ts";
import { formatAmount, formatBytes, formatCount } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { shortId } from "../model/identifiers.ts";
import type { Json } from "../model/json.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { formatTime } from "./clock-times.ts";
import { cutText } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type DiffOnScreen = {
  readonly before: RecoveryPoint;
  /** Null for what is live. */
  readonly after: RecoveryPoint | null;
  readonly declaration: readonly ValueDifference[];
  readonly components: readonly Omit<ComponentDiff, "foldersEqual" | "foldersRead">[];
};

const signs = { added: "+", removed: "-", changed: "*", metadata: "~" } as const;
const styles = { added: "green", removed: "red", changed: "yellow", metadata: "dim" } as const;

const valueText = (value: Json | undefined): string =>
  value === undefined
    ? "nothing"
    : cutText(showName(Buffer.from(typeof value === "string" ? value : JSON.stringify(value))), 60);

const valueLine = ({ key, before, after }: ValueDifference): string =>
  `${showName(Buffer.from(key))}: ${valueText(before)} > ${valueText(after)}`;

const tableLine = ({ kind, name, before, after }: DiffOnScreen["components"][number]["tables"][number]): string => {
  const rows = (table: CapturedTable | null): string => (table?.rows == null ? "?" : formatCount(table.rows));
  const shown = showName(Buffer.from(name));
  if (kind === "added") return `+ ${shown}  ${rows(after)} rows`;
  if (kind === "removed") return `- ${shown}  ${rows(before)} rows`;
  const change =
    before?.rows === after?.rows ? `${rows(after)} rows, other content` : `${rows(before)} > ${rows(after)} rows`;
  return `* ${shown}  ${change}`;
};

const headOf = (diff: DiffOnScreen["components"][number]): string => {
  const { component, state, files, tables, schemaChanged, unseen } = diff;
  if (unseen !== undefined) return `${component}: not compared: ${unseen}`;
  if (state === "equal") return `${component}: equal`;
  const words = [
    ...(state === "changed" ? [] : [`${state} as a whole`]),
    ...(schemaChanged ? ["new schema"] : []),
    ...(tables.length === 0 ? [] : [formatAmount(tables.length, "tables")]),
    ...(["added", "removed", "changed"] as const).flatMap((kind) =>
      files[kind] === 0 ? [] : [`${formatCount(files[kind])} ${kind}`],
    ),
    ...(files.metadata === 0 ? [] : [`${formatCount(files.metadata)} by mode, owner or time only`]),
    ...(files.addedBytes + files.removedBytes === 0
      ? []
      : [`+${formatBytes(files.addedBytes)} -${formatBytes(files.removedBytes)}`]),
  ];
  return `${component}: ${words.join(", ")}`;
};

/** @returns the summary: what comes before the list of files */
export const renderDiffSummary = (found: DiffOnScreen, now: string, screen: Screen): string => {
  const { before, after, declaration, components } = found;
  const at = (point: RecoveryPoint): string =>
    `${shortId(point.id)} (${formatTime(point.manifest.consistentAt, now, screen.timeZone)})`;
  return lines(
    `${before.manifest.service}: from ${at(before)} to ${after === null ? `what is live (${formatTime(now, now, screen.timeZone)})` : at(after)}`,
    declaration.length === 0 ? "declaration: equal" : `declaration: ${formatAmount(declaration.length, "changes")}`,
    declaration.map((change) => `  * ${valueLine(change)}`),
    components.flatMap((component) => [
      screen.paint("bold", headOf(component)),
      ...component.versions.map((change) => `  * ${valueLine(change)}`),
      ...component.tables.map((table) => `  ${tableLine(table)}`),
    ]),
  );
};

export const renderDifference = (
  component: string,
  { kind, path, before, after, details }: Difference,
  screen: Screen,
): string => {
  const entry = after ?? before;
  const name = `${component}:${showName(path)}${entry?.treeId == null ? "" : "/"}`;
  const size =
    kind === "changed" && before?.type === "file" && after?.type === "file"
      ? `  ${formatBytes(before.sizeBytes)} > ${formatBytes(after.sizeBytes)}`
      : entry?.type === "file" && kind !== "metadata"
        ? `  ${formatBytes(entry.sizeBytes)}`
        : "";
  const why = details.length === 0 ? "" : `  ${details.join(", ")}`;
  return screen.paint(styles[kind], `${signs[kind]} ${name}`) + size + why;
};

export const renderDiffEnd = ({ before, after }: DiffOnScreen, left: number, screen: Screen): string => {
  const id = shortId(before.id);
  return lines(
    left === 0 ? null : `... ${formatCount(left)} more (--all)`,
    nextLine(
      screen,
      `refloat browse ${id}`,
      ...(after === null ? [`refloat plan ${before.manifest.service} --at ${id}`] : []),
    ),
  );
};
