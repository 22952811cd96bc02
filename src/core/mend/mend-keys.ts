/** What putting keys of a store back has in common, whatever the store: what is asked for and refused, how much, and how it is shown. Pure. */
import type { MendProposal, MendedTable } from "../../model/mend.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { MendRequest, MendSource, PointSource } from "../ports/row-mending.ts";
import { formatAmount } from "../text/quantity.ts";
import { showName } from "../text/shown-name.ts";

/** Names of more are not held in memory, nor put back by one transaction. */
export const mostKeys = 50_000;
const shownSamples = 5;

/** So much of a value is shown. */
export const shownValueBytes = 48;

/** @param begin of the value, at most `shownValueBytes` */
export const valueWords = (begin: Uint8Array, sizeBytes: number): string =>
  showName(begin) + (sizeBytes > begin.length ? `... (${formatAmount(sizeBytes, "bytes")})` : "");

/** @throws RefloatError usage */
export const refuseForRows = ({ where, columns, fireTriggers }: MendRequest): void => {
  if (where === null && columns === null && fireTriggers) return;
  throw new RefloatError("usage", "--where, --columns and --no-triggers are of tables; a key is put back as a whole", {
    state: "nothing was changed",
  });
};

/** @throws RefloatError source.unsupported */
export const requirePoint = (source: MendSource): PointSource => {
  if ("captured" in source) return source;
  throw new RefloatError("source.unsupported", "keys are put back from points alone", { state: "nothing was changed" });
};

/** @param whole what there is beside: `server` */
export const tooManyKeys = (whole: string): RefloatError =>
  new RefloatError("source.unsupported", `more than ${formatAmount(mostKeys, "keys")} fit what was asked for`, {
    state: "nothing was changed",
    hint: `narrow the pattern, or recover the whole ${whole}`,
  });

/** @param more of how names are typed */
export const noKeyFits = (words: string, patterns: readonly string[], more = ""): RefloatError =>
  new RefloatError("usage", `${words} has no key that fits ${patterns.join(", ")}`, {
    state: "nothing was changed",
    hint: `keys are named as refloat browse shows them; * stands for anything${more}`,
  });

/** The key was written, or went, after it was compared. */
export const keyChanged = (name: string): RefloatError =>
  new RefloatError("rows.changed", `the key ${name} is not as it was compared`);

/** @param columns of what is put back in keys that differ: in how many of them each differs */
export const keysTable = (given: {
  readonly name: string;
  readonly counts: Pick<MendedTable, "equal" | "changed" | "gone" | "newer">;
  readonly samples: MendedTable["samples"];
  readonly columns: Readonly<Record<string, number>>;
}): MendedTable => {
  const { name, counts, samples, columns } = given;
  const changed = samples.filter(({ kind }) => kind === "changed").length;
  return {
    name,
    asked: true,
    made: false,
    key: ["key"],
    ...counts,
    puts: { changed, gone: samples.length - changed },
    columns: Object.entries(columns).flatMap(([column, rows]) =>
      rows === 0 ? [] : [{ name: column, rows, mostly: { value: null, rows: 1 }, distinctBefore: rows }],
    ),
    samples: samples.slice(0, shownSamples),
    alike: [],
    triggers: [],
  };
};

/** What is told of it without its scripts. */
export const keyProposal = ({
  again,
  ...given
}: Pick<MendProposal, "source" | "tables" | "warnings" | "writtenAt"> & Pick<MendRequest, "again">): Omit<
  MendProposal,
  "digest" | "undoDigest" | "script" | "undo"
> => ({
  ...given,
  ...(again === undefined ? {} : { again }),
  database: null,
  unit: "keys",
  fireTriggers: true,
  quietsTriggers: false,
  leftOut: [],
});
