/** What `validate --live` says of a server's binary log where any second of it is to be reached. */
import { formatDuration } from "../../core/time/duration.ts";
import { type Finding, failure, finding } from "../../platform/postgres/preflight-finding.ts";
import { readBinlogSettings, unusable } from "./binlog-source.ts";
import type { SqlAccess } from "./sql-client.ts";

/** Less than this is less than a night in which nobody looks. */
const leastKeptSeconds = 86_400;

/** Of a server whose log is to lead to any second. */
export const logFindings = async (access: SqlAccess, pitr: string | undefined): Promise<readonly Finding[]> => {
  if (pitr === undefined) return [];
  const subject = `any second of ${pitr}`;
  const settings = await readBinlogSettings(access).catch((error: unknown) => failure(subject, error));
  if ("ok" in settings) return [settings];
  const refused = unusable(settings);
  if (refused !== null) return [finding(false, subject, refused.reason, refused.hint)];
  const { keptSeconds, rowImage, syncs } = settings;
  const isShort = keptSeconds !== 0 && keptSeconds < leastKeptSeconds;
  return [
    finding(true, subject, `rows are logged, with the image ${rowImage}`),
    finding(
      !isShort,
      "retention at the server",
      keptSeconds === 0 ? "for ever: its disk must be watched" : formatDuration(keptSeconds * 1000),
      "a receiver that is away for longer leaves a gap: SET GLOBAL binlog_expire_logs_seconds = 864000",
    ),
    finding(
      syncs,
      "sync_binlog",
      syncs ? "1" : "not 1: a crash of the machine can take from the server what the vault has",
      "SET GLOBAL sync_binlog = 1",
    ),
  ];
};
