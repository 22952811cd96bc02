/** `node scripts/run.cjs build-docs`: writes docs/commands.md and docs/errors.md from the sources. src/cli/reference-pages.test.ts compares. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandTable } from "../src/cli/command-table.ts";
import { commandsPage, errorsPage } from "../src/cli/reference-pages.ts";

const docs = join(import.meta.dirname, "../docs");
mkdirSync(docs, { recursive: true });
writeFileSync(join(docs, "commands.md"), commandsPage(commandTable));
writeFileSync(join(docs, "errors.md"), errorsPage());
