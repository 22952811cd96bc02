/** What was taken out of a point, and where it lies now. */
import { formatAmount, formatBytes } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines } from "./screen.ts";

export type ExtractedOnScreen = {
  readonly point: RecoveryPoint;
  readonly component: string;
  readonly what: "key" | "table" | "schema" | "database" | "file" | "folder" | "link" | "special";
  readonly replayed: { readonly to: string; readonly at: string } | null;
  readonly files: number;
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
};

/** `point 7f3a91c2 (2026-11-26T14:00:04.112Z)`, or the moment behind it that the log led to. */
export const extractedAsOf = ({ point, replayed }: Pick<ExtractedOnScreen, "point" | "replayed">): string =>
  replayed === null
    ? `point ${shortId(point.id)} (${point.manifest.consistentAt})`
    : `${replayed.at}, position ${replayed.to}: point ${shortId(point.id)} and the log from there`;

export const renderExtracted = (
  { point, replayed, component, what, files, sizeBytes, warnings }: ExtractedOnScreen,
  target: string,
  screen: Screen,
): string => {
  const held =
    what === "folder" ? `${formatAmount(files, "files")}, ${formatBytes(sizeBytes)}` : formatBytes(sizeBytes);
  return lines(
    `${shellWord(target)}: ${what} of ${component} as of ${extractedAsOf({ point, replayed })}, ${held}, every byte verified`,
    warnings.flatMap((warning) => hanging("warning ", warning, screen)),
  );
};
