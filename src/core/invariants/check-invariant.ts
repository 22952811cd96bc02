/** Asks one declared invariant of whatever its two components stand for now. */
import type { InvariantDeclaration, InvariantSide } from "../../model/declaration.ts";
import type { CheckOutcome, LinkCounts } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { ComponentAccess } from "../components/component-access.ts";
import type { ByteStream } from "../ports/bytes.ts";
import type { Clock } from "../ports/environment.ts";
import { formatAmount } from "../text/quantity.ts";
import { type SetComparison, compareSets } from "./compare-sets.ts";
import { invariantSide } from "./invariant-sides.ts";

/** @throws RefloatError of whoever is asked, with the invariant and the side that it is about */
export const checkInvariant = async (
  name: string,
  invariant: InvariantDeclaration,
  access: ComponentAccess,
  clock: Clock,
): Promise<CheckOutcome> => {
  const began = clock.monotonicMs();
  const compared = await compareSets(sideValues(name, invariant.every, access), sideValues(name, invariant.in, access));
  const links = linkCounts(compared);
  return {
    subject: `invariant ${name}`,
    kind: "invariant",
    status: compared.broken === 0 ? "passed" : "failed",
    found: describeLinks(links, invariant),
    durationMs: clock.monotonicMs() - began,
    links,
  };
};

/** Nothing is asked of a side before its first value is wanted. */
const sideValues = async function* (name: string, side: InvariantSide, access: ComponentAccess): ByteStream {
  const { component, asked } = invariantSide(side);
  try {
    yield* await access.setValues(component, asked);
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code === "bug") throw error;
    const way = typeof asked === "string" ? component : `${component} (${asked.kind})`;
    throw new RefloatError(error.code, `invariant ${name}, values of ${way}: ${error.message}`, {
      cause: error,
      context: { ...error.context, invariant: name, component },
      ...(error.state === undefined ? {} : { state: error.state }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.nextCommand === undefined ? {} : { nextCommand: error.nextCommand }),
    });
  }
};

const sampleCharacters = 120;

/** A value comes from anywhere, and is printed on terminals. */
const sampleOf = (value: string): string => {
  // oxlint-disable-next-line no-control-regex -- what would steer the terminal that it is printed on
  const plain = value.replaceAll(/[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/g, "\uFFFD");
  return plain.length <= sampleCharacters ? plain : `${plain.slice(0, sampleCharacters)}...`;
};

const linkCounts = (compared: SetComparison): LinkCounts => ({
  every: compared.every,
  in: compared.in,
  broken: { count: compared.broken, samples: compared.brokenSamples.map(sampleOf) },
  orphans: { count: compared.orphans, samples: compared.orphanSamples.map(sampleOf) },
  ...(compared.every === 0 && compared.in > 0 ? { empty: "every" as const } : {}),
  ...(compared.in === 0 && compared.every > 0 ? { empty: "in" as const } : {}),
});

const describeLinks = ({ every, broken, orphans, empty }: LinkCounts, invariant: InvariantDeclaration): string => {
  const held =
    broken.count === 0
      ? `${formatAmount(every, "links")} ${every === 1 ? "holds" : "hold"}`
      : `${broken.count.toLocaleString("en-US")} of ${every.toLocaleString("en-US")} links are broken, such as ${broken.samples.join(", ")}`;
  const surplus =
    orphans.count === 0 ? [] : [`${formatAmount(orphans.count, "orphans")}, such as ${orphans.samples.join(", ")}`];
  const missing =
    empty === undefined
      ? []
      : [
          `${invariantSide(invariant[empty]).component} ${empty === "in" ? "has nothing at all" : "names nothing at all"}: its state may be missing`,
        ];
  return [held, ...surplus, ...missing].join("; ");
};
