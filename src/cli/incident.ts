/** `--incident TIME`: the moment of the first wrong answer, from which the RTO is counted. */
import { z } from "zod";
import type { Workbench } from "../core/ports/workbench.ts";
import { parseAt } from "../core/time/at-expression.ts";
import { RefloatError } from "../model/refloat-error.ts";

export const incidentInput = z.string().nullable().default(null);

/** @returns ISO 8601 @throws RefloatError time.unclear */
export const readIncident = (
  text: string | null,
  { clock, host }: Pick<Workbench, "clock" | "host">,
): string | null => {
  if (text === null) return null;
  const at = parseAt(text, clock.now(), host.timeZone);
  if (at.kind === "instant") return at.instant;
  throw new RefloatError("time.unclear", `--incident "${text}" is no time`, {
    hint: 'the moment of the first wrong answer: "10 minutes ago", 14:05, 2026-11-20T14:05:00Z',
  });
};
