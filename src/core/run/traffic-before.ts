/** Where a run's traffic went before its cutover, which an undo must direct it to where `to:` is an address and no reference, and where the run has sent it. */
import { z } from "zod";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { RunRecord } from "../../model/run.ts";
import type { JsonObject } from "../../model/json.ts";
import { findReferences } from "../declaration/template.ts";

const holdIntentSchema = z.object({ entries: z.array(z.object({ address: z.string().nullable() })) });

/**
 * The declaration for an undo of the run. A reference in `to:` names the old side again once its name has it back; a written
 * address would name the new side still, so the one that the run has seen when it held traffic stands in its place.
 * @param holdId of a failback `hold@away`: traffic goes back to that side, and the undo does not hold it there to see where it went
 */
export const withTrafficBefore = (
  run: RunRecord,
  service: ServiceDeclaration,
  holdId: "hold" | "hold@away" = "hold",
): ServiceDeclaration => {
  const hold = run.steps.find(({ id }) => id === holdId);
  const seen = holdIntentSchema.safeParse(hold?.intent).data?.entries ?? [];
  return {
    ...service,
    cutover: service.cutover.map((entry, index) => {
      const before = seen[index]?.address ?? null;
      if (before === null || (entry.to === undefined ? holdId === "hold" : findReferences(entry.to).length > 0))
        return entry;
      return { ...entry, to: before, options: { ...entry.options, to: before } };
    }),
  };
};

const sentSchema = z.object({ addresses: z.array(z.string()) });

/** Addresses by entry, as `observe` tells them, that an `admit` was about to direct traffic to. None of a run of an older version. */
export const sentTraffic = (admitIntent: JsonObject | undefined): readonly string[] =>
  sentSchema.safeParse(admitIntent).data?.addresses ?? [];
