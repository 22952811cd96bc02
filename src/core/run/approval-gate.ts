/**
 * Whether an approval gate is open, by what people have said: who may say it, how many it takes, how long it holds, and who opened it
 * against all that.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { StepAction } from "../../model/plan.ts";
import type { SpokenWord } from "../../model/run-word.ts";
import { formatAmount } from "../text/quantity.ts";
import { parseDuration } from "../time/duration.ts";

export type Gate = Extract<StepAction, { kind: "approve" }>;

export type GateVerdict =
  | { readonly kind: "open"; readonly by: readonly string[] }
  | { readonly kind: "overridden"; readonly by: string; readonly reason: string }
  | { readonly kind: "refused"; readonly by: string; readonly reason: string | null }
  /** Those who have said yes so far, and whose yes still holds. */
  | { readonly kind: "closed"; readonly by: readonly string[] };

/** May the person say yes? Nobody is named where anybody may. */
export const mayApprove = ({ by }: Gate, roles: readonly string[]): boolean =>
  by === undefined || by.some((role) => roles.includes(role));

/** An edit of what people are told to do: whoever has said yes before has said it of something else. */
const changesInstructions = ({ edit }: SpokenWord): boolean => edit !== undefined && isInstruction(edit.field);

/** Of a manual step. */
export const isInstruction = (field: string): boolean => field === "do" || field === "expect";

/** Is the word one of those that a step judges? */
export const isHeardBy = (step: StepId, word: SpokenWord): boolean => word.step === step || changesInstructions(word);

/** @param words heard by this gate since it was last refused, in order @param now ISO */
export const judgeGate = (gate: Gate, words: readonly SpokenWord[], now: string): GateVerdict => {
  const { count = 1, expires } = gate;
  const holdsMs = (expires === undefined ? undefined : parseDuration(expires)) ?? Number.POSITIVE_INFINITY;
  const yes = new Set<string>();
  const outdated = new Set<string>();
  let overridden: GateVerdict | null = null;
  for (const word of words) {
    const { says, by, roles, reason, at, plan, edit } = word;
    if (edit !== undefined && changesInstructions(word)) {
      yes.clear();
      overridden = null;
      outdated.add(edit.before).delete(edit.after);
    }
    if (says === "no" && overridden === null) return { kind: "refused", by, reason: reason ?? null };
    // Said while the edit was made, of what stood there before it.
    if (plan !== undefined && outdated.has(plan)) continue;
    if (says === "override") overridden ??= { kind: "overridden", by, reason: reason ?? "" };
    const holds = Date.parse(now) - Date.parse(at) <= holdsMs;
    if (says === "yes" && holds && mayApprove(gate, roles)) yes.add(by);
  }
  return overridden ?? { kind: yes.size >= count ? "open" : "closed", by: [...yes] };
};

/** `2 of oncall, dba`; empty where one yes of anybody is enough. */
export const describeNeeds = ({ by, count = 1 }: Gate): string => {
  if (by === undefined) return count === 1 ? "" : formatAmount(count, "people");
  return `${count === 1 ? "one" : `${count} people`} of ${by.join(", ")}`;
};
