/**
 * Errors for people, in one grammar: code and sentence, the place in the file, what was left behind, the hint, the next command.
 * Holds no secret as long as the error holds none.
 */
import { relative } from "node:path";
import { diagnosticText } from "../core/declaration/diagnostic-text.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { RefloatError } from "../model/refloat-error.ts";
import type { Paint } from "../render/screen.ts";

export type ErrorTextOptions = {
  readonly paint: Paint;
  /** Files below it are named relative to it. */
  readonly currentDirectory: string;
};

export const errorText = (error: RefloatError, options: ErrorTextOptions): string => {
  const { paint } = options;
  const mistakes = error.diagnostics.filter(({ severity }) => severity === "error").length;
  if (mistakes > 0) {
    const next = error.nextCommand === undefined ? "" : `; next: ${paint("bold", error.nextCommand)}`;
    return `${diagnosticsText(error.diagnostics, options)}\n${mistakes} ${mistakes === 1 ? "error" : "errors"}${next}`;
  }
  return [
    `${paint("red", "error")} ${paint("bold", error.code)}: ${error.message}`,
    ...(error.code === "bug" ? whereFrom(error) : []),
    ...(error.state === undefined ? [] : [`state: ${error.state}`]),
    ...(error.hint === undefined ? [] : [`hint: ${error.hint}`]),
    ...(error.nextCommand === undefined ? [] : [`next: ${paint("bold", error.nextCommand)}`]),
  ].join("\n");
};

/** Mistakes and warnings of a file, each with its place. */
export const diagnosticsText = (
  diagnostics: readonly Diagnostic[],
  { paint, currentDirectory }: ErrorTextOptions,
): string =>
  diagnostics
    .map((diagnostic) =>
      diagnosticText({ ...diagnostic, file: shortPath(diagnostic.file, currentDirectory) }).replace(
        /^\w+/,
        (severity) => paint(severity === "error" ? "red" : "yellow", severity),
      ),
    )
    .join("\n");

/** A report of a bug can start from where it went wrong, and from nothing else. */
const whereFrom = (error: RefloatError): readonly string[] => {
  const { stack } = error.cause instanceof Error ? error.cause : error;
  return (stack ?? "")
    .split("\n")
    .filter((line) => line.startsWith("    at "))
    .slice(0, 5);
};

const shortPath = (file: string, currentDirectory: string): string => {
  const path = relative(currentDirectory, file);
  return path === "" || path.startsWith("..") ? file : path;
};
