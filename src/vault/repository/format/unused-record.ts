/**
 * Which packs nobody may count on, written down by a prune or a repair for captures to read and for a later prune to act on. An index file
 * that names no pack, with one more member: restic reads it as an empty index, and drops it when it prunes by itself.
 *
 * An `unused` record names packs that no snapshot uses. A `witness` names records and who was at work after they could be read: those may
 * have looked before. A `damaged` record names packs that a repair has given up and that the store, or an index that it holds on to, still
 * has.
 */
import { z } from "zod";
import type { Sealer } from "../seal/seal.ts";
import type { Store } from "../stores/store.ts";
import { type RepositoryVersion, damagedFile, writeUnpacked } from "./unpacked-file.ts";

const idSchema = z.string().regex(/^[0-9a-f]{64}$/);

const unusedRecordSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("unused"), packs: z.array(idSchema) }),
  z.object({ kind: z.literal("damaged"), packs: z.array(idSchema) }),
  z.object({
    kind: z.literal("witness"),
    records: z.array(idSchema),
    /** Since when nobody new may count on the packs. */
    at: z.iso.datetime(),
    sessions: z.array(z.string()),
  }),
]);
export type UnusedRecord = z.infer<typeof unusedRecordSchema>;

const head = Buffer.from('{"packs":[],"refloat_unused":');

/** @returns undefined for an index of packs @throws RefloatError vault.damaged */
export const decodeUnusedRecord = (json: Buffer, name: string): UnusedRecord | undefined => {
  if (json.compare(head, 0, head.length, 0, head.length) !== 0) return undefined;
  try {
    const file = JSON.parse(json.toString("utf8")) as { readonly refloat_unused: unknown };
    return unusedRecordSchema.parse(file.refloat_unused);
  } catch (error) {
    throw damagedFile("index", name, "records unused packs in a form that is not known here", error);
  }
};

/** What a capture passes over. */
export const packsPassedOver = (records: Iterable<UnusedRecord>): ReadonlySet<string> =>
  new Set([...records].flatMap((record) => (record.kind === "witness" ? [] : record.packs)));

/** @returns the record's name */
export const writeUnusedRecord = async (
  store: Store,
  sealer: Sealer,
  version: RepositoryVersion,
  record: UnusedRecord,
): Promise<string> =>
  writeUnpacked(store, sealer, version, "index", Buffer.concat([head, Buffer.from(`${JSON.stringify(record)}}`)]));
