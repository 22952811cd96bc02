/**
 * The digest that names a plan: SHA-256 over the canonical JSON (RFC 8785) of its intent. The same intent has the same digest on every machine;
 * what is merely expected of it is not part of it.
 */
import { createHash } from "node:crypto";
import type { PlanDigest } from "../../model/identifiers.ts";
import type { JointPlan } from "../../model/joint-plan.ts";
import type { PlanIntent } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { canonicalJson } from "./canonical-json.ts";

export const planDigest = (intent: PlanIntent | JointPlan["intent"]): PlanDigest => digestOf(intent) as PlanDigest;

/** Of any other thing that is done as it was shown. @param intent as it survives JSON */
export const digestOf = (intent: object): string => {
  const text = canonicalJson(intent);
  if (text === undefined) throw new RefloatError("bug", "a plan's intent is not JSON");
  return sha256Of(text);
};

/** Hex. */
export const sha256Of = (text: string): string => createHash("sha256").update(text).digest("hex");
