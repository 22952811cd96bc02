/** Gathers what is wrong, by object; blobs that are hurt are remembered, so that their snapshots and paths can be found. */
import type { VerifyFinding } from "../../../core/ports/vault-verification.ts";
import type { BlobType } from "../format/pack-header.ts";

type Affected = VerifyFinding["affects"][number];

/** A finding that still gathers what it affects: paths by snapshot. */
export type Draft = Omit<VerifyFinding, "affects"> & { readonly affects: Map<string, Map<string, Affected>> };

/** More paths of one finding would not be read by anybody. Of each snapshot one is named in any case: what is not named counts as whole. */
const mostAffected = 1000;

export const blobKey = (id: string, type: BlobType): string => `${type} ${id}`;

export class Damage {
  readonly #drafts: Draft[] = [];
  /** Findings by the blob that is hurt by them. */
  readonly #hurt = new Map<string, Set<Draft>>();
  readonly #byObject = new Map<string, Draft>();

  /** One finding for an object; a second word about it is added to the first. */
  add(severity: VerifyFinding["severity"], kind: string, id: string, message: string): Draft {
    const key = `${severity} ${kind} ${id} ${message}`;
    const known = this.#byObject.get(key);
    if (known !== undefined) return known;
    const draft: Draft = { severity, message, object: { kind, id }, affects: new Map() };
    this.#drafts.push(draft);
    this.#byObject.set(key, draft);
    return draft;
  }

  hurt(draft: Draft, id: string, type: BlobType): void {
    const key = blobKey(id, type);
    const drafts = this.#hurt.get(key) ?? new Set();
    drafts.add(draft);
    this.#hurt.set(key, drafts);
  }

  get isHurting(): boolean {
    return this.#hurt.size > 0;
  }

  isHurt(id: string, type: BlobType): boolean {
    return this.#hurt.has(blobKey(id, type));
  }

  /** A path of a snapshot needs a blob that is hurt. */
  affect(id: string, type: BlobType, affected: Affected): void {
    for (const { affects } of this.#hurt.get(blobKey(id, type)) ?? []) {
      const paths = affects.get(affected.snapshot);
      if (paths === undefined) affects.set(affected.snapshot, new Map([[affected.path, affected]]));
      else if (paths.size < mostAffected / affects.size) paths.set(affected.path, affected);
    }
  }

  /** @param isGivenUp whether a repair has written down that nobody shall count on a pack: what hurts nothing is no error then */
  findings(isGivenUp: (packId: string) => boolean = () => false): readonly VerifyFinding[] {
    const rank = { error: 0, warning: 1 } as const;
    return this.#drafts
      .map((draft): VerifyFinding => {
        const { object, affects } = draft;
        const isHarmless = object.kind === "pack" && affects.size === 0 && isGivenUp(object.id);
        const message = `${draft.message}; nothing relies on it, a prune takes it out once it may`;
        return {
          ...draft,
          ...(isHarmless ? { severity: "warning", message } : {}),
          affects: [...affects.values()].flatMap((paths) => [...paths.values()]),
        };
      })
      .sort((a, b) => rank[a.severity] - rank[b.severity]);
  }
}
