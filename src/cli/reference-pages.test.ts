import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { diagnosticCatalogue } from "../core/declaration/diagnostic-catalogue.ts";
import { errorCatalogue } from "../model/error-catalogue.ts";
import { commandTable } from "./command-table.ts";
import { commandsPage, errorsPage } from "./reference-pages.ts";

const published = (name: string): string => readFileSync(join(import.meta.dirname, "../../docs", name), "utf8");

describe("the reference pages say what the sources say (else: node scripts/run.cjs build-docs)", () => {
  it("docs/commands.md", () => {
    expect(published("commands.md")).toBe(commandsPage(commandTable));
  });

  it("docs/errors.md", () => {
    expect(published("errors.md")).toBe(errorsPage());
    for (const code of [...Object.keys(errorCatalogue), ...Object.keys(diagnosticCatalogue)])
      expect(published("errors.md")).toContain(`\`${code}\``);
  });
});
