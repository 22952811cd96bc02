/** Marks our back ends so that those of a killed attempt are found and ended before the next one begins. */
import { createHash } from "node:crypto";
import type { Session } from "./session.ts";

/** The server cuts application_name here; a cut marker could fit a stranger's. */
const longestName = 63;

/** Only the acts of a run have numbered attempts; two captures of one service are two acts, and neither may end the other. */
const splitMarker = (marker: string): { readonly act: string; readonly attempt: string | null } => {
  const match = /^(.*)\/(\d+)$/s.exec(marker);
  return { act: match?.[1] ?? marker, attempt: match?.[2] ?? null };
};

const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, "?");

const shortAct = (act: string): string =>
  act.length <= 48 ? printable(act) : `refloat/~${createHash("sha256").update(act).digest("hex").slice(0, 32)}`;

/** What the server shows: `refloat/42.8984525a/restore:db/1`, or with a hash in place of what is too long. */
export const applicationName = (marker: string): string => {
  const { act, attempt } = splitMarker(marker);
  return (attempt === null ? shortAct(act) : `${shortAct(act)}/${attempt}`).slice(0, longestName);
};

/**
 * Ends sessions in `databases` that an earlier, killed attempt of the same act left running: same user, same client address (two
 * machines may both have a run 42), not our own. @returns how many
 */
export const endEarlierAttempts = async (
  session: Session,
  marker: string,
  databases: readonly string[],
): Promise<number> => {
  const { act, attempt } = splitMarker(marker);
  if (attempt === null) return 0;
  const prefix = `${shortAct(act)}/`;
  const rows = await session.query<{ ended: boolean }>(
    `select pg_terminate_backend(pid) as ended
       from pg_stat_activity
      where starts_with(application_name, $1) and application_name <> $2
        and datname = any($3) and usename = current_user and pid <> pg_backend_pid()
        and client_addr is not distinct from inet_client_addr()`,
    [prefix, applicationName(marker), databases],
  );
  return rows.filter((row) => row.ended).length;
};
