/** Gathers what the choice of a point needs to know, and no more than this `--at` needs. */
import { openIncident } from "./open-incident.ts";
import type { Workbench } from "../ports/workbench.ts";
import { knownRunMoments } from "../run/known-run-moments.ts";
import type { AtExpression } from "../time/at-expression.ts";
import type { SelectionOptions } from "./select-point.ts";

export const selectionFacts = async (
  bench: Pick<Workbench, "vault" | "vaultMemory" | "journal" | "log">,
  service: string,
  at: AtExpression,
): Promise<Pick<SelectionOptions, "marks" | "runs" | "verified" | "incidentSince">> => ({
  marks: await (await bench.vault()).marks.list(service),
  incidentSince: openIncident(await (await bench.vault()).incidents.list(service))?.since ?? null,
  ...(at.kind === "before-run" ? { runs: await knownRunMoments(bench, service, at.run) } : {}),
  ...(at.kind === "last-verified" ? { verified: (await (await bench.vaultMemory()).notes()).verified } : {}),
});
