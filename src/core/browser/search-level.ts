/** Narrows a level to the rows whose names hold some letters, in any case. */
import { type BrowserLevel, moveCursor } from "./browser-state.ts";

/** The cursor stays on its row where that is left, else it goes to the first one. */
export const searchLevel = (level: BrowserLevel, search: string, pageRows: number): BrowserLevel => {
  const { rows } = level;
  const at = level.visible === null ? level.cursor : (level.visible[level.cursor] ?? 0);
  if (search === "") return moveCursor({ ...level, search, visible: null }, at, pageRows);
  const wanted = search.toLowerCase();
  const visible: number[] = [];
  // What a longer word leaves is among what the shorter one left.
  const narrower = level.visible !== null && level.search !== "" && search.startsWith(level.search);
  const candidates = narrower ? level.visible : rows.keys();
  for (const index of candidates) {
    if (rows[index]?.name.toLowerCase().includes(wanted) === true) visible.push(index);
  }
  const cursor = visible.indexOf(at);
  return moveCursor({ ...level, search, visible, top: 0 }, Math.max(0, cursor), pageRows);
};
