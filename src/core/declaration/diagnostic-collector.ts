/** Collects what is wrong with a file: places become lines, columns and excerpts, and no excerpt shows a secret. */
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { DiagnosticCode } from "./diagnostic-catalogue.ts";
import type { Place } from "./source-place.ts";
import type { JsonPath } from "./template.ts";

export type Report = {
  readonly code: DiagnosticCode;
  readonly severity?: "error" | "warning";
  readonly place: Place;
  readonly path: JsonPath;
  readonly message: string;
  readonly hint?: string;
  readonly trail?: string;
};

/** `services.shop.components.app.checks[0]`; the file itself is the empty path. */
export const pathText = (path: JsonPath): string =>
  path.reduce<string>(
    (text, step) => (typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
    "",
  );

export class DiagnosticCollector {
  readonly #file: string;
  readonly #text: string;
  readonly #lineOffsets: readonly number[];
  readonly #reports: Report[] = [];
  readonly #masked: Place[] = [];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#lineOffsets = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  report(report: Report): void {
    this.#reports.push(report);
  }

  /** From now on no excerpt shows what stands at this place. */
  mask(place: Place): void {
    this.#masked.push(place);
  }

  /** 1-based; columns count UTF-16 code units, as editors do. */
  position(place: Place): { readonly line: number; readonly column: number } {
    const line = this.#lineOffsets.findLastIndex((offset) => offset <= place.offset);
    return { line: line + 1, column: place.offset - (this.#lineOffsets[line] ?? 0) + 1 };
  }

  get hasErrors(): boolean {
    return this.#reports.some(({ severity }) => severity !== "warning");
  }

  /**
   * All of it in the order of the file; the same thing said twice of one place is said once, and of a secret that stands in the
   * file nothing else is said.
   */
  diagnostics(): readonly Diagnostic[] {
    const seen = new Set<string>();
    const isPlain = ({ code, severity }: Report): boolean => code === "config.plain-secret" && severity !== "warning";
    const plain = new Set(this.#reports.filter(isPlain).map(({ path }) => pathText(path)));
    return this.#reports
      .filter(({ code, path }) => code !== "config.bad-value" || !plain.has(pathText(path)))
      .toSorted((a, b) => a.place.offset - b.place.offset)
      .map((report) => this.#diagnostic(report))
      .filter((diagnostic) => {
        const key = JSON.stringify([diagnostic.line, diagnostic.column, diagnostic.code, diagnostic.message]);
        return !seen.has(key) && seen.add(key);
      });
  }

  #diagnostic(report: Report): Diagnostic {
    const { line, column } = this.position(report.place);
    return {
      severity: report.severity ?? "error",
      code: report.code,
      message: report.message,
      file: this.#file,
      line,
      column,
      length: report.place.length,
      excerpt: this.#excerpt(line),
      path: pathText(report.path),
      ...(report.trail === undefined ? {} : { trail: report.trail }),
      ...(report.hint === undefined ? {} : { hint: report.hint }),
    };
  }

  /** The line as written, but for secrets: each of their characters is a star, so that columns still fit. */
  #excerpt(line: number): string {
    const start = this.#lineOffsets[line - 1] ?? 0;
    const end = this.#lineOffsets[line] ?? this.#text.length + 1;
    let excerpt = this.#text.slice(start, end - 1);
    for (const { offset, length } of this.#masked) {
      const from = Math.max(0, offset - start);
      const to = Math.min(excerpt.length, offset + length - start);
      if (from < to) excerpt = excerpt.slice(0, from) + "*".repeat(to - from) + excerpt.slice(to);
    }
    return excerpt.replace(/\r$/, "");
  }
}
