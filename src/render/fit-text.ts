/** Fits text to columns as a terminal counts them: wide characters take two, combining ones none. */
import stringWidth from "string-width";
import { type Screen, asTypedOn } from "./screen.ts";

export const textWidth = (text: string): number => stringWidth(text);

export const padEnd = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - textWidth(text)));

export const padStart = (text: string, width: number): string =>
  " ".repeat(Math.max(0, width - textWidth(text))) + text;

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Cut to the width with `...` at its end where something is left out. */
export const cutText = (text: string, width: number): string => {
  if (textWidth(text) <= width) return text;
  const dots = width >= 8 ? "..." : "";
  let kept = "";
  for (const { segment } of segmenter.segment(text)) {
    if (textWidth(kept + segment) > width - dots.length) break;
    kept += segment;
  }
  return kept.trimEnd() + dots;
};

/** Cut to the width from its beginning, for what says most at its end, such as a path. */
export const cutTextStart = (text: string, width: number): string => {
  if (textWidth(text) <= width) return text;
  const dots = width >= 8 ? "..." : "";
  let kept = "";
  for (const { segment } of [...segmenter.segment(text)].toReversed()) {
    if (textWidth(segment + kept) > width - dots.length) break;
    kept = segment + kept;
  }
  return dots + kept;
};

/** In lines of at most the width, cut anywhere, for what is to be read whole whatever it holds. */
export const breakText = (text: string, width: number): readonly string[] => {
  const lines = [""];
  for (const { segment } of segmenter.segment(text)) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && textWidth(line + segment) > width) lines.push(segment);
    else lines[lines.length - 1] = line + segment;
  }
  return lines;
};

const packed = (parts: readonly string[], width: number): readonly string[] => {
  const packedLines: string[] = [];
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line} ${part}`;
    if (line !== "" && textWidth(longer) > width) {
      packedLines.push(line);
      line = part;
    } else {
      line = longer;
    }
  }
  return [...packedLines, line];
};

/**
 * Lines of at most `width`, broken after commas and only within a part that is longer than a line at its spaces. A word that is longer than that stands
 * on a line of its own, uncut: it may be a path to copy.
 */
export const wrapText = (text: string, width: number): readonly string[] => {
  if (textWidth(text) <= width) return [text];
  const parts = text.split(/(?<=[,;]) /);
  return packed(
    parts.flatMap((part) => (textWidth(part) <= width ? [part] : part.split(" "))),
    width,
  );
};

/** Wrapped, with the first line after `label` and the others indented below it. Commands that the text names stand as they have to be typed here. */
export const hanging = (label: string, text: string, screen: Pick<Screen, "width" | "asTyped">): readonly string[] => {
  const indent = textWidth(label);
  return wrapText(asTypedOn(screen, text), Math.max(20, screen.width - indent)).map((line, index) =>
    index === 0 ? label + line : " ".repeat(indent) + line,
  );
};
