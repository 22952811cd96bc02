/**
 * Escrow bundles in the vault: each is a snapshot with one file, `/refloat/escrow.age`, and the tag `refloat-escrow`, so that stock restic lists, checks
 * and gives it back. What is in the file only its own key opens.
 */
import { hostname } from "node:os";
import type { Clock } from "../../core/ports/environment.ts";
import type { EscrowBundles, StoredEscrow } from "../../core/ports/escrow.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { VaultLock } from "../../core/ports/vault-locks.ts";
import type { SnapshotInfo } from "../../core/ports/vault-snapshots.ts";
import { shortId } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { taggedValue } from "./snapshot-tags.ts";

const escrowTag = "refloat-escrow";
const escrowPath = "/refloat/escrow.age";

const storedFrom = ({ id, tags, time, hostname: host }: SnapshotInfo): StoredEscrow => ({
  id,
  at: time,
  host,
  secrets: Number(taggedValue(tags, "secrets") ?? 0),
  sizeBytes: Number(taggedValue(tags, "size") ?? 0),
  openedBy: taggedValue(tags, "opened-by") === "recipients" ? "recipients" : "password",
});

export const createEscrowBundles = (
  repository: Repository,
  clock: Clock = systemClock,
  lock: () => Promise<VaultLock | null> = async () => null,
): EscrowBundles => {
  const list = async (): Promise<readonly StoredEscrow[]> =>
    (await repository.snapshots())
      .filter(({ tags }) => tags.includes(escrowTag))
      .map(storedFrom)
      .sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || a.id.localeCompare(b.id));

  return {
    list,

    find: async (id) => {
      const all = await list();
      const fitting = id === null ? all.slice(0, 1) : all.filter((bundle) => bundle.id.startsWith(id));
      const [found, second] = fitting;
      if (found !== undefined && second === undefined) return found;
      const none = id === null ? "the vault holds no escrow bundle" : `the vault has no escrow bundle ${id}`;
      throw new RefloatError(
        "escrow.unknown",
        found === undefined ? none : `${fitting.length} escrow bundles begin with ${id ?? ""}`,
        {
          context: { bundles: all.map((bundle) => shortId(bundle.id)) },
          nextCommand: all.length === 0 ? "refloat vault escrow seal" : "refloat vault escrow list",
        },
      );
    },

    read: async (id) => (await repository.openSnapshot(id)).read(escrowPath),

    store: async (sealed, { secrets, openedBy }) => {
      const held = await lock();
      const writer = await repository.beginSnapshot({
        hostname: hostname(),
        time: clock.now(),
        tags: [escrowTag, `secrets=${secrets}`, `size=${sealed.length}`, `opened-by=${openedBy}`],
        paths: [escrowPath],
        ...(held === null ? {} : { lock: { ...held, members: [] } }),
      });
      try {
        await writer.bytes(escrowPath, sealed);
        return storedFrom(await writer.commit());
      } finally {
        await writer.abort();
      }
    },
  };
};
