/** Places in a text, and mistakes that have one. */
import type { JsonPath } from "./template.ts";

/** A stretch of the text, by UTF-16 code units. */
export type Place = { readonly offset: number; readonly length: number };

/** A mistake of form, found before anything is known of the meaning. */
export type SourceMistake = {
  readonly code: "config.syntax" | "config.duplicate-key" | "config.bad-name";
  readonly place: Place;
  readonly path: JsonPath;
  readonly message: string;
  readonly hint: string;
};
