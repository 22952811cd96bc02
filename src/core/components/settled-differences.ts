/** Which differences of fingerprints a recovery settles itself, by what it provisions, and how each is told. Pure. */
import type { FingerprintDifference } from "../../model/fingerprint.ts";
import type { LiveComponent, LiveProvision } from "../planner/planner-input.ts";

/** By subject of a difference the entry that settles it. */
export type Settling = ReadonlyMap<string, string>;

export const settlingOf = (provisions: Readonly<Record<string, Pick<LiveProvision, "settles">>>): Settling =>
  new Map(
    Object.entries(provisions).flatMap(([name, { settles = [] }]) =>
      settles.map((subject) => [subject, name] as const),
    ),
  );

/** The same differences; each that an entry of `provision:` settles bears its name. */
export const withSettledBy = (
  differences: readonly FingerprintDifference[],
  settling: Settling,
): readonly FingerprintDifference[] =>
  differences.map((one) => {
    const settledBy = settling.get(one.subject);
    return settledBy === undefined ? one : { ...one, settledBy };
  });

export const withSettled = (
  components: Readonly<Record<string, LiveComponent>>,
  provisions: Readonly<Record<string, LiveProvision>>,
): Readonly<Record<string, LiveComponent>> => {
  const settling = settlingOf(provisions);
  if (settling.size === 0) return components;
  return Object.fromEntries(
    Object.entries(components).map(([name, live]) => [
      name,
      { ...live, fingerprint: withSettledBy(live.fingerprint, settling) },
    ]),
  );
};

/** Behind the words for a difference: what the point has for it, and which entry installs that. */
export const remedyOf = ({ inPoint, settledBy }: FingerprintDifference): string => {
  if (settledBy !== undefined) return ` (${settledBy} installs it from the point)`;
  return inPoint === true ? " (the point has it)" : "";
};

/** What would have the packages that the point has installed; null where none of them is left to install. */
export const remedyHint = (component: string, differences: readonly FingerprintDifference[]): string | null =>
  differences.some(
    ({ inPoint, settledBy, severity }) => inPoint === true && settledBy === undefined && severity === "missing",
  )
    ? `declare what installs them: provision: { packages: { type: packages, of: [${component}] } }`
    : null;
