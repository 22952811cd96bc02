/** Facts that a tool tells of a place: a flat JSON object, taken at capture and compared with each restored instance. */
import { z } from "zod";
import { type ToldFacts, toldFactsSchema } from "../../model/plugin-protocol.ts";
import type { Facts } from "../../model/facts.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import type { CommandContext } from "./component-options.ts";
import { toolOf } from "./tool-of.ts";

export const detailSchema = z.object({
  told: toldFactsSchema.nullable(),
  /** Facts that changed while the data was written: nobody can say which of the two it has. */
  moved: z.array(z.string()),
});

export const movedFacts = (before: ToldFacts | null, after: ToldFacts | null): readonly string[] =>
  before === null || after === null
    ? []
    : [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]);

/** What people read in plans: whole numbers that are told. */
export const countsOf = (told: ToldFacts | null): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(told ?? {}).filter(
      (entry): entry is [string, number] =>
        typeof entry[1] === "number" && Number.isSafeInteger(entry[1]) && entry[1] >= 0,
    ),
  );

type Said = Pick<CheckOutcome, "subject" | "status" | "found">;

const compare = (captured: ToldFacts, moved: readonly string[], found: ToldFacts): readonly Said[] => {
  const differing = Object.entries(captured)
    .filter(([key, value]) => !moved.includes(key) && found[key] !== value)
    .map(([key, value]): Said => ({
      subject: `facts: ${key}`,
      status: "failed",
      found: `${String(found[key] ?? "not told")}, captured ${String(value)}`,
    }));
  if (differing.length > 0) return differing;
  const same = Object.keys(captured).filter((key) => !moved.includes(key));
  if (same.length === 0)
    return [{ subject: "facts", status: "skipped", found: "all of them changed while the data was captured" }];
  return [
    { subject: "facts", status: "passed", found: `${same.join(", ")} as captured` },
    ...(moved.length === 0
      ? []
      : [
          {
            subject: "facts",
            status: "skipped",
            found: `${moved.join(", ")} changed while the data was captured`,
          } as const,
        ]),
  ];
};

export const validateFacts = async (
  context: CommandContext,
  name: string,
  facts: Facts,
): Promise<readonly CheckOutcome[]> => {
  const began = context.clock.monotonicMs();
  const detail = detailSchema.safeParse(facts.detail);
  const { told, moved } = detail.success ? detail.data : { told: null, moved: [] };
  const found = told === null ? null : await toolOf(context).facts(context, name);
  const said: readonly Said[] =
    told === null
      ? [{ subject: "facts", status: "skipped", found: "none were taken at the capture" }]
      : found === null
        ? [{ subject: "facts", status: "skipped", found: "nothing tells them any more" }]
        : compare(told, moved, found);
  return said.map((one) => ({
    ...one,
    kind: "facts",
    component: context.component,
    durationMs: context.clock.monotonicMs() - began,
  }));
};
