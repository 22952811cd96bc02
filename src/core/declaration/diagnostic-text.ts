/**
 * A diagnostic as people read it: code and sentence, place, the line with carets, the fix. Without colours; control characters
 * of the file reach no terminal.
 */
import stringWidth from "string-width";
import type { Diagnostic } from "../../model/diagnostic.ts";

/** Beyond this width a hint gets a line of its own, and a source line is shown in part. */
const maxWidth = 110;
const contextBefore = 30;

/** Tabs are shown as arrows of one column, so that carets stand where they should; other control characters as dots. */
const visible = (text: string): string => text.replaceAll("\t", "→").replaceAll(/\p{Cc}|\p{Cf}/gu, "·");

/**
 * @example
 * error config.unknown-key: services.shop.components.app has no "enviroment"
 *   refloat.yaml:33:9 |         enviroment:
 *                     |         ^^^^^^^^^^ did you mean "environment"?
 */
export const diagnosticText = (diagnostic: Diagnostic): string => {
  const head = `${diagnostic.severity} ${diagnostic.code}: ${visible(diagnostic.message)}`;
  const place = `  ${visible(diagnostic.file)}:${diagnostic.line}:${diagnostic.column}`;
  const hint = diagnostic.hint === undefined ? undefined : visible(diagnostic.hint);
  const hintLine = hint === undefined ? [] : [`hint: ${hint}`];
  if (diagnostic.trail !== undefined) return [head, `${place}  ${visible(diagnostic.trail)}`, ...hintLine].join("\n");
  if (diagnostic.excerpt.trim() === "") return [head, place, ...hintLine].join("\n");
  const { line, column, length } = windowed(diagnostic);
  const margin = " ".repeat(stringWidth(place));
  const carets =
    " ".repeat(stringWidth(line.slice(0, column))) +
    "^".repeat(Math.max(1, stringWidth(line.slice(column, column + length))));
  const beside =
    hint !== undefined && stringWidth(margin) + 3 + stringWidth(carets) + 1 + stringWidth(hint) <= maxWidth;
  return [
    head,
    `${place} | ${line}`,
    `${margin} | ${carets}${beside ? ` ${hint}` : ""}`,
    ...(beside ? [] : hintLine),
  ].join("\n");
};

/** The part of a long line that holds the mistake; `column` counts from 0 within it. */
const windowed = ({ excerpt, column, length }: Diagnostic): { line: string; column: number; length: number } => {
  const text = visible(excerpt);
  const at = Math.min(column - 1, text.length);
  if (text.length <= maxWidth) return { line: text, column: at, length };
  const start = at < maxWidth - contextBefore ? 0 : at - contextBefore;
  const before = start === 0 ? "" : "...";
  const shown = text.slice(start, start + maxWidth - 6);
  const after = start + shown.length < text.length ? "..." : "";
  const shift = before.length - start;
  return {
    line: `${before}${shown}${after}`,
    column: at + shift,
    length: Math.min(length, start + shown.length - at),
  };
};
