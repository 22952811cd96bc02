/**
 * The chain of a run's events: each hash covers its event and the hash before it, the first one the run's uid and plan. An
 * event that is changed, dropped or put elsewhere breaks every hash after it. It proves order and wholeness to whoever kept
 * the last hash; the vault keeps it in the run's copy.
 */
import { createHash } from "node:crypto";
import type { RunEvent } from "../model/run.ts";

export type JournaledEvent = Exclude<RunEvent, { type: "progress" }>;

/** The run's number is not part of it: a copy may get another number. */
export type EventDocument = { readonly text: string; readonly hash: string };

const sha256 = (...parts: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\n");
  return hash.digest("hex");
};

export const chainBegin = (uid: string, planDigest: string): string => sha256("refloat run", uid, planDigest);

export const chainNext = (previousHash: string, text: string): string => sha256(previousHash, text);

export const writeEvent = (event: JournaledEvent, previousHash: string): EventDocument => {
  const { run: _, ...rest } = event;
  const text = JSON.stringify(rest);
  return { text, hash: chainNext(previousHash, text) };
};

export const readEvent = (text: string, run: number): JournaledEvent =>
  ({ ...(JSON.parse(text) as object), run }) as JournaledEvent;
