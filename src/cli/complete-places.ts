/** Places in the vault, for Tab: points, then the components of one, then tables and files level by level. */
import type { Workbench } from "../core/ports/workbench.ts";
import { showName } from "../core/text/shown-name.ts";
import { shortId } from "../model/identifiers.ts";
import { browse } from "../operations/browse.ts";
import type { Suggestion } from "./complete-words.ts";

/** More than these nobody reads. */
const most = 500;

/** @param typed the word so far @throws whatever opening the vault throws */
export const completePlaces = async (bench: Workbench, typed: string): Promise<readonly Suggestion[]> => {
  const [point = "", component, ...rest] = typed.split(":");
  if (component === undefined) {
    const points = await (await bench.vault()).points.list();
    return points.map(({ id, manifest }) => ({
      word: shortId(id),
      about: `${manifest.service} ${manifest.consistentAt}`,
    }));
  }
  const signal = new AbortController().signal;
  const ask = (place: string) => browse(bench, { place, recursive: false, files: false }, signal);
  if (rest.length === 0) {
    const found = await ask(point);
    if (found.kind !== "point") return [];
    return found.components.map(({ name, captured }) => ({ word: `${point}:${name}`, about: captured.driver }));
  }
  const path = rest.join(":");
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const begin = `${point}:${component}:`;
  const found = await ask(begin + folder);
  if (found.kind === "tables") return found.tables.map(({ name }) => ({ word: begin + name, about: "table" }));
  if (found.kind !== "folder") return [];
  const words: Suggestion[] = (found.databases ?? [])
    .map((name) => ({ word: begin + name, about: "database" }))
    .filter(({ word }) => word.startsWith(typed));
  for await (const { entry } of found.entries) {
    const word = `${begin}${folder}${showName(entry.name)}${entry.treeId === null ? "" : "/"}`;
    if (word.startsWith(typed)) words.push({ word, about: entry.type });
    if (words.length === most) break;
  }
  return words;
};
