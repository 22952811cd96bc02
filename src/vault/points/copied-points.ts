/**
 * What a copied point says of itself in tags of its snapshot: `made-in=VAULT`, `root-seal=HMAC` (that whoever copied it had proven its root
 * and could open the vault that it was copied to), and `without=POINT` for each point that its root names and that was not there.
 */
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { type PointId, pointIdSchema } from "../../model/identifiers.ts";
import { taggedValue } from "./snapshot-tags.ts";

export type CopyFacts = {
  /** Undefined for a point that was made here. */
  readonly madeIn: string | undefined;
  readonly seal: string | undefined;
  readonly without: readonly PointId[];
};

export const copyFacts = ({ tags }: Pick<SnapshotInfo, "tags">): CopyFacts => ({
  madeIn: taggedValue(tags, "made-in"),
  seal: taggedValue(tags, "root-seal"),
  without: tags.flatMap((tag) => {
    const point = pointIdSchema.safeParse(/^without=(?<id>.*)$/.exec(tag)?.groups?.["id"]);
    return point.success ? [point.data] : [];
  }),
});

/** Those of an earlier copy are not kept: they were true of another vault. */
export const copyTags = ({ madeIn, seal, without }: CopyFacts): readonly string[] => [
  ...(madeIn === undefined ? [] : [`made-in=${madeIn}`]),
  ...(seal === undefined ? [] : [`root-seal=${seal}`]),
  ...without.map((point) => `without=${point}`),
];

export const isCopyTag = (tag: string): boolean => /^(?:made-in|root-seal|without)=/.test(tag);
