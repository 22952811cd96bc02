/** One thing that `validate --live` asked of a database, and what it found. */
import type { PreflightReport } from "../../core/ports/driver.ts";

export type Finding = PreflightReport["findings"][number];

export const finding = (ok: boolean, subject: string, found: string, hint?: string): Finding =>
  ok || hint === undefined ? { ok, subject, found } : { ok, subject, found, hint };

export const listed = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
