/** The duration that was meant by text that is none: `15 minutes` is 15m, `1h 30m` is 1h30m. */
import { parseDuration } from "../time/duration.ts";

const unitWords: readonly (readonly [RegExp, string])[] = [
  [/^(milliseconds?|millis|msecs?)$/, "ms"],
  [/^(seconds?|secs?)$/, "s"],
  [/^(minutes?|mins?)$/, "m"],
  [/^(hours?|hrs?)$/, "h"],
  [/^(days?)$/, "d"],
  [/^(weeks?|wks?)$/, "w"],
];

/** @returns a duration in Refloat's form, or undefined when the text is not made of amounts and units */
export const guessDuration = (text: string): string | undefined => {
  if (!/^\s*(\d+(\.\d+)?\s*[a-z]+[\s,]*)+$/i.test(text)) return undefined;
  const terms = [...text.toLowerCase().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)].map(([, amount = "", unit = ""]) => {
    const short = unitWords.find(([pattern]) => pattern.test(unit))?.[1] ?? unit;
    return `${amount}${short}`;
  });
  const guess = terms.join("");
  return parseDuration(guess) === undefined ? undefined : guess;
};
