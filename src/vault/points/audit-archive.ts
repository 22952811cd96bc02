/**
 * The audit log's place in the vault. A new entry is a record: one small file. Once there are many, they are joined into a file of
 * lines (`/refloat/audit.jsonl`) in a snapshot of its own, and the single ones are removed where the store allows it. Both are found by
 * the tag `refloat-audit`. What the entries prove is not known here.
 */
import { readEntry } from "../../core/audit/audit-chain.ts";
import type { Clock, Log } from "../../core/ports/environment.ts";
import type { AuditArchive, StoredAuditEntry } from "../../core/ports/audit-log.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { VaultLock } from "../../core/ports/vault-locks.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import type { AuditHead } from "../../model/audit-entry.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { taggedValue } from "./snapshot-tags.ts";

const auditTag = "refloat-audit";
const joinedPath = "/refloat/audit.jsonl";

/** So many single entries are joined; each costs one read whenever the vault is listed. */
const joinedAt = 128;
/** So many small files of lines become one. */
const mergedAt = 16;
/** A file of this many lines (about 6 MB) is left as it is. */
const fullAt = 10_000;

export type AuditArchiveOptions = {
  readonly hostname: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What an entry is locked with. */
  readonly lock?: () => Promise<VaultLock | null>;
};

export const createAuditArchive = (
  repository: Repository,
  { hostname, clock, log, lock: lockNow = async () => null }: AuditArchiveOptions,
): AuditArchive => {
  const parts = async () => {
    const all = (await repository.snapshots()).filter(({ tags }) => tags.includes(auditTag));
    return {
      singles: all.filter((info): info is SnapshotInfo & { record: string } => info.record !== undefined),
      joined: all.filter(({ record }) => record === undefined),
    };
  };

  const linesOf = async (id: string): Promise<readonly string[]> => {
    const content = await (await repository.openSnapshot(id)).read(joinedPath);
    return Buffer.from(content)
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "");
  };

  /** Of a part that cannot be read nothing is known to be there. */
  const addLines = async (lines: Set<string>, id: string): Promise<void> => {
    try {
      for (const line of await linesOf(id)) lines.add(line);
    } catch (error) {
      if (!(error instanceof RefloatError && ["vault.damaged", "point.unknown"].includes(error.code))) throw error;
    }
  };

  /** Durable before anything that it holds is removed elsewhere. */
  const join = async (texts: readonly string[]): Promise<void> => {
    const entries = inOrder(texts);
    const heads = newestOf(entries.flatMap(({ place }) => (place === null ? [] : [place])));
    const lock = await lockNow();
    const writer = await repository.beginSnapshot({
      hostname,
      time: clock.now(),
      tags: [
        auditTag,
        `entries=${entries.length}`,
        ...Object.entries(heads).map(([id, { sequence, hash }]) => `head=${id}:${sequence}:${hash}`),
      ],
      paths: [joinedPath],
      ...(lock === null ? {} : { lock: { ...lock, members: [] } }),
    });
    try {
      await writer.bytes(joinedPath, Buffer.from(entries.map(({ text }) => `${text}\n`).join("")));
      await writer.commit();
    } finally {
      await writer.abort();
    }
  };

  return {
    append: async (text) => {
      const chained = readEntry(text);
      if (chained === null) throw new RefloatError("bug", "what was to be put into the audit log is no entry");
      const { writer, sequence, at } = chained.entry;
      const lock = await lockNow();
      await repository.writeRecord({
        hostname,
        time: new Date(at),
        tags: [auditTag, `writer=${writer}`, `entry=${sequence}`],
        // Of its own, so that restic's usual policy, which groups by path, keeps every entry.
        path: `/refloat/audit/${writer}/${String(sequence).padStart(8, "0")}`,
        text,
        ...(lock === null ? {} : { lock }),
      });
    },

    read: async () => {
      const { singles, joined } = await parts();
      const entries: StoredAuditEntry[] = singles.map(({ id, record }) => ({ text: record, snapshot: id }));
      const unreadable: { snapshot: string; reason: string }[] = [];
      for (const { id } of joined) {
        try {
          for (const text of await linesOf(id)) entries.push({ text, snapshot: id });
        } catch (error) {
          // One that was joined into another meanwhile is gone: the caller, who misses its entries, reads again.
          if (!(error instanceof RefloatError && ["vault.damaged", "point.unknown"].includes(error.code))) throw error;
          if (error.code === "vault.damaged") unreadable.push({ snapshot: id, reason: error.message });
        }
      }
      return { entries, unreadable };
    },

    heads: async () => {
      const { singles, joined } = await parts();
      const tagged = joined.flatMap(({ tags }) => tags.flatMap(headOfTag));
      return newestOf([...singles.flatMap(({ record }) => placeOf(record) ?? []), ...tagged]);
    },

    compact: async () => {
      const { singles, joined } = await parts();
      const covered = newestOf(joined.flatMap(({ tags }) => tags.flatMap(headOfTag)));
      const isFresh = ({ record }: { readonly record: string }): boolean => {
        const place = placeOf(record);
        return place === null || (covered[place.writer]?.sequence ?? 0) < place.sequence;
      };
      // Single ones that the store has not let go of are joined already.
      if (singles.filter(isFresh).length < joinedAt) return 0;
      const small = joined.filter(({ tags }) => Number(taggedValue(tags, "entries") ?? fullAt) < fullAt);
      const merged = small.length < mergedAt ? [] : small;
      const present = new Set<string>();
      for (const { id } of joined) if (!merged.some((part) => part.id === id)) await addLines(present, id);
      const texts = new Set(singles.map(({ record }) => record).filter((text) => !present.has(text)));
      for (const { id } of merged) for (const text of await linesOf(id)) texts.add(text);
      await join([...texts]);
      try {
        // A store that takes no removal keeps them twice: slower to list, and no less true.
        const kept = await repository.removeSnapshots([...singles, ...merged].map(({ id }) => id));
        if (kept.length > 0) log.info("joined entries of the audit log stay in the vault", { entries: kept.length });
      } catch (error) {
        log.info("joined entries of the audit log stay in the vault", { error: String(error) });
      }
      return texts.size;
    },
  };
};

type Place = AuditHead & { readonly writer: string };

const placeOf = (text: string): Place | null => {
  const chained = readEntry(text);
  return chained === null
    ? null
    : { writer: chained.entry.writer, sequence: chained.entry.sequence, hash: chained.hash };
};

/** By writer and sequence, each once. What is no entry is kept too: nobody's evidence is thrown away. */
const inOrder = (texts: readonly string[]) =>
  [...new Set(texts)]
    .map((text) => ({ text, place: placeOf(text) }))
    .sort(
      (a, b) =>
        (a.place?.writer ?? "").localeCompare(b.place?.writer ?? "") ||
        (a.place?.sequence ?? 0) - (b.place?.sequence ?? 0),
    );

const headOfTag = (tag: string): readonly Place[] => {
  const { writer, sequence, hash } =
    /^head=(?<writer>[0-9a-f-]{36}):(?<sequence>\d+):(?<hash>[0-9a-f]{64})$/.exec(tag)?.groups ?? {};
  return writer === undefined || hash === undefined ? [] : [{ writer, sequence: Number(sequence), hash }];
};

const newestOf = (places: readonly Place[]): Readonly<Record<string, AuditHead>> => {
  const heads: Record<string, AuditHead> = {};
  for (const { writer, sequence, hash } of places)
    if ((heads[writer]?.sequence ?? 0) < sequence) heads[writer] = { sequence, hash };
  return heads;
};
