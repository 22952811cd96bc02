/** browse at a terminal: what keys ask for is done by the same operations that the other commands use. */
import { join, resolve } from "node:path";
import type { Workbench } from "../../core/ports/workbench.ts";
import { formatAmount, formatBytes } from "../../core/text/quantity.ts";
import { type Extracted, extractToPlace } from "../../operations/extract.ts";
import type { Browsed } from "../../operations/browse.ts";
import { renderExtracted } from "../../render/extract-screen.ts";
import type { CommandContext } from "../command.ts";
import { sparsely } from "../live-progress.ts";
import { levelOf, loadLevelAbove, openRow, loadVersions } from "./load-level.ts";
import { type BrowserWorld, runBrowser } from "./run-browser.ts";

/** @returns what was extracted meanwhile, for the screen that scrolls */
export const explorePoint = async (
  bench: Workbench,
  found: Browsed,
  files: boolean,
  context: CommandContext,
): Promise<string> => {
  const extracted: string[] = [];
  const world: BrowserWorld = {
    open: (effect, signal) => openRow(bench, effect, files, signal),
    rise: ({ place }, signal) => loadLevelAbove(bench, place, files, signal),
    versions: ({ place }, signal) => loadVersions(bench, place, signal),
    extract: async ({ place, folder, name }, signal, progress) => {
      const target = join(folderOf(folder, context), name);
      const sum = { bytes: 0, items: 0 };
      const tell = sparsely(bench.clock, () => {
        const items = sum.items === 0 ? "" : `${formatAmount(sum.items, "files")}, `;
        progress(`extracting ${name}: ${items}${formatBytes(sum.bytes)}`);
      });
      const done: Extracted = await extractToPlace(
        bench,
        {
          place,
          rows: "csv",
          signal,
          progress: ({ bytes, items }) => {
            sum.bytes += bytes;
            sum.items += items;
            tell();
          },
        },
        target,
      );
      const text = renderExtracted(done, target, context.output.screen("UTC"));
      extracted.push(text);
      return text.replaceAll("\n", "; ");
    },
  };
  const timeZone = bench.host.timeZone;
  try {
    await runBrowser(world, await levelOf(bench, found), context, timeZone);
  } catch (error) {
    // The screen that told it is gone.
    for (const text of extracted) context.output.say(text);
    throw error;
  }
  return extracted.join("\n");
};

/** As a shell would read it: `~` is the person's home. */
const folderOf = (typed: string, { shell }: CommandContext): string => {
  const home = shell.environment["HOME"];
  const path = home === undefined ? typed : typed.replace(/^~(?=\/|$)/, () => home);
  return resolve(shell.currentDirectory, path);
};
