/** The replication slot by which a server keeps the WAL that the vault does not have yet, and what the server says of it. */
import { createHash } from "node:crypto";
import type { LogEvent } from "../../core/ports/logs.ts";
import { formatBytes } from "../../core/text/quantity.ts";

export type SlotState = {
  /** The oldest WAL that it keeps; null when it keeps none any more. */
  readonly restart: string | null;
  /** The server has removed WAL that it was to keep. */
  readonly isLost: boolean;
  /** How much more may be written before it does; null without a limit. */
  readonly safeBytes: number | null;
};

export type SlotReport = {
  /** Null where there is none. */
  readonly slot: SlotState | null;
  /** `max_slot_wal_keep_size`, in bytes; null without a limit. */
  readonly limitBytes: number | null;
};

type Query = <Row>(sql: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** At most 63 letters, of which a slot takes few kinds. Deterministic. */
export const slotName = (service: string, component: string): string => {
  const plain = `refloat_${service}_${component}`;
  const fitting = plain.replaceAll("-", "_");
  if (fitting === plain && plain.length <= 63) return plain;
  // `a-b` and `a_b` are two components.
  return `${fitting.slice(0, 54)}_${createHash("sha256").update(`${service} ${component}`).digest("hex").slice(0, 8)}`;
};

export const readSlot = async (query: Query, slot: string): Promise<SlotReport> => {
  const [limit] = await query<{ bytes: string }>(
    "select (setting::bigint * 1024 * 1024)::text as bytes from pg_settings where name = 'max_slot_wal_keep_size'",
  );
  const [found] = await query<{ restart: string | null; status: string | null; safe: string | null }>(
    "select restart_lsn::text as restart, wal_status as status, safe_wal_size::text as safe from pg_replication_slots where slot_name = $1",
    [slot],
  );
  const limitBytes = limit === undefined || Number(limit.bytes) < 0 ? null : Number(limit.bytes);
  if (found === undefined) return { slot: null, limitBytes };
  const { restart, status, safe } = found;
  return {
    slot: { restart, isLost: status === "lost" || restart === null, safeBytes: safe === null ? null : Number(safe) },
    limitBytes,
  };
};

const setLimit = "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();";

/** What may become of the server, or of the log, if nobody receives for long. */
export const slotWarnings = ({ slot, limitBytes }: SlotReport): readonly Extract<LogEvent, { type: "warning" }>[] => {
  if (limitBytes === null) {
    return [
      {
        type: "warning",
        message:
          "max_slot_wal_keep_size has no limit: while nobody receives, the server keeps WAL until its disk is full",
        hint: `as superuser: ${setLimit}`,
      },
    ];
  }
  const safe = slot?.safeBytes ?? null;
  if (slot === null || slot.isLost || safe === null || safe > limitBytes / 4) return [];
  return [
    {
      type: "warning",
      message: `the server will keep ${formatBytes(Math.max(0, safe))} more of WAL for the vault, of ${formatBytes(limitBytes)}; then the log gets a gap`,
      hint: "see what keeps the receiver from storing, or raise max_slot_wal_keep_size",
    },
  ];
};
