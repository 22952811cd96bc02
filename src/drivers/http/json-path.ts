/** Where values stand in a JSON document: names joined by dots, `[]` for each element of a list (`orders[].lines[].sku`, `[].id`, `id`). */
import type { Json } from "../../model/json.ts";

type Step = { readonly name: string } | "each";

export const jsonPathPattern = /^(?:[^.[\]\s]+|\[\])(?:\[\])*(?:\.[^.[\]\s]+(?:\[\])*)*$/;

export const parseJsonPath = (text: string): readonly Step[] =>
  [...text.matchAll(/\[\]|[^.[\]]+/g)].map(([word]) => (word === "[]" ? "each" : { name: word }));

/** `null`: there, and nothing. `absent`: the document has no such name. `wrong`: it leads to what is no value, in words. */
export type Found =
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "null" }
  | { readonly kind: "absent"; readonly last: boolean; readonly what: string }
  | { readonly kind: "wrong"; readonly what: string };

const describe = (value: Json): string =>
  Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `the ${typeof value} ${String(value)}`;

/** All that the path leads to, in the order of the document. */
export function* followPath(document: Json, path: readonly Step[], place = ""): Iterable<Found> {
  const [step, ...rest] = path;
  if (step === undefined) {
    if (document === null) yield { kind: "null" };
    else if (typeof document === "object")
      yield { kind: "wrong", what: `${place === "" ? "the whole" : place} is ${describe(document)}` };
    else yield { kind: "value", value: String(document) };
    return;
  }
  if (document === null) {
    yield { kind: "null" };
    return;
  }
  const here = place === "" ? "the document" : place;
  if (step === "each") {
    if (!Array.isArray(document)) {
      yield { kind: "wrong", what: `${here} is ${describe(document)}, not a list` };
      return;
    }
    for (const [index, element] of (document as readonly Json[]).entries())
      yield* followPath(element, rest, `${place}[${index}]`);
    return;
  }
  if (typeof document !== "object" || Array.isArray(document)) {
    yield { kind: "wrong", what: `${here} is ${describe(document)}, not an object` };
    return;
  }
  const next = Object.hasOwn(document, step.name) ? (document as Readonly<Record<string, Json>>)[step.name] : undefined;
  if (next === undefined) {
    yield { kind: "absent", last: rest.length === 0, what: `${here} has no "${step.name}"` };
    return;
  }
  yield* followPath(next, rest, place === "" ? step.name : `${place}.${step.name}`);
}

/** Numbers stay as they are written: beyond 2^53 they would become others. */
export const parseJson = (text: string): Json =>
  // The third argument is ES2025's; the library's types lack it.
  JSON.parse(text, ((_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) ? (context?.source ?? value) : value) as (
    key: string,
    value: unknown,
  ) => unknown) as Json;
