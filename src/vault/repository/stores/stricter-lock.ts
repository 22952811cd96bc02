import type { FileLock } from "./store.ts";

/** The later end of both, and the mode that lets fewer people lift it. */
export const stricterLock = (a: FileLock, b: FileLock): FileLock => ({
  until: a.until > b.until ? a.until : b.until,
  mode: a.mode === "compliance" || b.mode === "compliance" ? "compliance" : "governance",
});
