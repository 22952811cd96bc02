/** What was taken out of a point, and where it lies now. */
import { formatAmount, formatBytes } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { hanging } from "./fit-text.ts";
import { lines } from "./screen.ts";

export type ExtractedOnScreen = {
  readonly point: RecoveryPoint;
  readonly component: string;
  readonly what: "table" | "file" | "folder" | "link" | "special";
  readonly files: number;
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
};

export const renderExtracted = (
  { point, component, what, files, sizeBytes, warnings }: ExtractedOnScreen,
  target: string,
  width: number,
): string => {
  const held =
    what === "folder" ? `${formatAmount(files, "files")}, ${formatBytes(sizeBytes)}` : formatBytes(sizeBytes);
  return lines(
    `${shellWord(target)}: ${what} of ${component} as of point ${shortId(point.id)}, ${held}, every byte verified`,
    warnings.flatMap((warning) => hanging("warning ", warning, width)),
  );
};
