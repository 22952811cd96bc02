/** What is asked of a server before anything is done with it. */
import { RefloatError } from "../../model/refloat-error.ts";
import { seriesOf } from "./client-programs.ts";
import { describeAddress } from "./connection-target.ts";
import { type SqlAccess, askSql, numberOf, textOf } from "./sql-client.ts";

export type ServerFacts = {
  /** `10.11.19`. */
  readonly version: string;
  readonly hasBinlog: boolean;
  readonly binlogFormat: string;
  /** How names of tables are compared: 0 as they are, 1 and 2 without case. */
  readonly lowerCaseNames: number;
  readonly dataFolder: string;
  readonly serverId: number;
  /** Triggers and functions may be made by who has no SUPER, although a binary log is written. */
  readonly trustsCreators: boolean;
  readonly readOnly: boolean;
  /** The newest transaction of each domain that the server has logged: `0-1-4711`. Empty without a binary log. */
  readonly gtid: string;
};

/** The first one in which a RENAME TABLE of many tables survives a crash as a whole. */
const oldest = 10_006;

/** @throws RefloatError source.unreachable, source.denied, source.unsupported */
export const readServerFacts = async (access: SqlAccess): Promise<ServerFacts> => {
  const [row] = await askSql(
    access,
    `SELECT VERSION() AS version, @@log_bin AS log_bin, @@binlog_format AS format, @@lower_case_table_names AS names,
            @@datadir AS folder, @@server_id AS id, @@read_only AS read_only, @@gtid_binlog_pos AS gtid,
            @@log_bin_trust_function_creators AS trusts;`,
  );
  const version = /^(\d+\.\d+\.\d+)-MariaDB/.exec(textOf(row, "version"))?.[1];
  const place = describeAddress(access.target);
  if (version === undefined) {
    throw new RefloatError("source.unsupported", `the server at ${place} is ${textOf(row, "version")}, not MariaDB`, {
      hint: "MySQL is another database by now; capture it by a component of type command",
    });
  }
  if (seriesOf(version) < oldest) {
    throw new RefloatError("source.unsupported", `the server at ${place} is MariaDB ${version}, older than 10.6`, {
      hint: "from 10.6 on all tables of a database are renamed at once or not at all, which a switch needs",
    });
  }
  return {
    version,
    hasBinlog: numberOf(row, "log_bin") === 1,
    binlogFormat: textOf(row, "format"),
    lowerCaseNames: numberOf(row, "names"),
    dataFolder: textOf(row, "folder"),
    serverId: numberOf(row, "id"),
    readOnly: textOf(row, "read_only") !== "0" && textOf(row, "read_only") !== "OFF",
    gtid: textOf(row, "gtid"),
    trustsCreators: numberOf(row, "log_bin") === 0 || numberOf(row, "trusts") === 1,
  };
};
