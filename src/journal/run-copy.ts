/**
 * The copy of a run that goes into the vault: JSON lines, so that it can be read without Refloat.
 *
 *     {"kind":"run","formatVersion":1,"madeAs":42,"record":{...}}   the run without its steps
 *     {"kind":"plan","plan":{...}}
 *     {"kind":"step","step":{...}}                                  one per step, in the plan's order
 *     {"kind":"event","hash":"...","text":"..."}                    one per event; text is the JSON that the chain covers
 *     {"kind":"seal","lines":57,"sha256":"..."}                     over all bytes before this line
 *
 * A copy is believed only if the seal fits, the chain of events holds, and the plan has the digest that the run names: the one that it
 * was begun with, or that of the last edit.
 */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { z } from "zod";
import { runNumberSchema } from "../model/identifiers.ts";
import { type Plan, planSchema } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type RunRecord, runEventSchema, runRecordSchema, stepRecordSchema } from "../model/run.ts";
import { type EventDocument, chainBegin, chainNext, readEvent } from "./event-chain.ts";

export type RunCopy = {
  readonly madeAs: number;
  readonly record: RunRecord;
  readonly planText: string;
  readonly events: readonly EventDocument[];
};

const lineSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("run"),
    formatVersion: z.literal(1),
    madeAs: runNumberSchema,
    record: runRecordSchema.omit({ steps: true }),
  }),
  z.object({ kind: z.literal("plan"), plan: z.unknown() }),
  z.object({ kind: z.literal("step"), step: stepRecordSchema }),
  z.object({ kind: z.literal("event"), hash: z.string(), text: z.string() }),
  z.object({ kind: z.literal("seal"), lines: z.int(), sha256: z.string() }),
]);
type Line = z.infer<typeof lineSchema>;
type Of<Kind extends Line["kind"]> = Extract<Line, { kind: Kind }>;

const sha256 = (content: string): string => createHash("sha256").update(content).digest("hex");

export const writeRunCopy = ({ madeAs, record, planText, events }: RunCopy): Uint8Array => {
  const { steps, ...run } = record;
  const lines = [
    { kind: "run", formatVersion: 1, madeAs, record: run },
    { kind: "plan", plan: JSON.parse(planText) as unknown },
    ...steps.map((step) => ({ kind: "step", step })),
    ...events.map(({ text, hash }) => ({ kind: "event", hash, text })),
  ];
  const content = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const seal = { kind: "seal", lines: lines.length, sha256: sha256(content) };
  return Buffer.from(`${content}${JSON.stringify(seal)}\n`);
};

const refuse = (why: string, cause?: unknown): RefloatError =>
  new RefloatError("journal.failed", `this copy of a run cannot be trusted: ${why}`, {
    cause,
    hint: "take another copy from the vault",
  });

/** @throws RefloatError journal.failed saying what does not fit */
export const readRunCopy = (copy: Uint8Array): RunCopy => {
  const text = new TextDecoder().decode(copy);
  const texts = text.split("\n");
  if (texts.pop() !== "") throw refuse("it has no seal, so its end is missing");
  const sealText = texts.pop() ?? "";
  const seal = parseLine(sealText);
  if (seal.kind !== "seal") throw refuse("it has no seal, so its end is missing");
  const content = text.slice(0, text.length - sealText.length - 1);
  if (seal.lines !== texts.length || seal.sha256 !== sha256(content))
    throw refuse("its seal does not fit what is before it");
  const lines = texts.map(parseLine);
  const [run] = ofKind(lines, "run");
  const [plan] = ofKind(lines, "plan");
  if (run === undefined || plan === undefined) throw refuse("it has no run or no plan");
  const record: RunRecord = { ...run.record, steps: ofKind(lines, "step").map(({ step }) => step) };
  const trusted = trustedPlan(plan.plan, record);
  if (record.steps.map(({ id }) => id).join("\n") !== trusted.intent.steps.map(({ id }) => id).join("\n"))
    throw refuse("its steps are not those of its plan");
  const events = ofKind(lines, "event").map(({ text, hash }) => ({ text, hash }));
  assertChain(events, record);
  return { madeAs: run.madeAs, record, planText: JSON.stringify(plan.plan), events };
};

const parseLine = (text: string): Line => {
  try {
    return lineSchema.parse(JSON.parse(text));
  } catch (error) {
    throw refuse("a line of it is not of a form that this version knows", error);
  }
};

const ofKind = <Kind extends Line["kind"]>(lines: readonly Line[], kind: Kind): readonly Of<Kind>[] =>
  lines.filter((line): line is Of<Kind> => line.kind === kind);

const trustedPlan = (value: unknown, record: RunRecord): Plan => {
  const parsed = planSchema.safeParse(value);
  if (!parsed.success) throw refuse("its plan has a form that this version does not know", parsed.error);
  // Over what is in the copy, not over what the schema made of it.
  const digest = sha256(canonicalize((value as Plan).intent) ?? "");
  if (digest !== record.digest || parsed.data.digest !== record.digest)
    throw refuse("its plan is not the one that it names");
  return parsed.data;
};

/** The chain begins with the plan as it was made; each edit since names the digest before it and after it. */
const digestAtBegin = (events: readonly EventDocument[], { number, digest }: RunRecord): string => {
  let after: string | null = null;
  let first: string | null = null;
  for (const { text } of events) {
    const parsed = runEventSchema.safeParse(readEvent(text, number));
    const edit = parsed.data?.type === "word" ? parsed.data.word.edit : undefined;
    if (edit === undefined) continue;
    if (after !== null && edit.before !== after) throw refuse("an edit of its plan does not follow the one before it");
    first ??= edit.before;
    after = edit.after;
  }
  if (after !== null && after !== digest) throw refuse("its plan is not the one that the last edit made");
  return first ?? digest;
};

const assertChain = (events: readonly EventDocument[], record: RunRecord): void => {
  let hash = chainBegin(record.uid, digestAtBegin(events, record));
  for (const [index, event] of events.entries()) {
    hash = chainNext(hash, event.text);
    if (hash !== event.hash) throw refuse(`event ${index + 1} was changed or is not in its place`);
    const parsed = runEventSchema.safeParse(readEvent(event.text, record.number));
    if (!parsed.success || parsed.data.type === "progress" || parsed.data.sequence !== index + 1)
      throw refuse(`event ${index + 1} is not what it should be`);
  }
  if (events.length === 0) throw refuse("it has no events");
};
