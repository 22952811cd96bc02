/** What is asked of a server before it is captured or switched: what it is, where its files lie, who follows it. */
import { realpath } from "node:fs/promises";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { ServerFacts } from "../server-facts.ts";
import { readServerFacts } from "../server-facts.ts";
import { type SqlAccess, numberOf, runSql, textOf } from "../sql-client.ts";

export type LiveServer = ServerFacts & {
  readonly variables: ReadonlyMap<string, string>;
  /** Its own threads that follow another server. */
  readonly isReplica: boolean;
  /** Who receives its binary log, other than the user that asks: `repl at 10.0.0.5:3306`. */
  readonly followers: readonly string[];
  readonly isClusterNode: boolean;
};

const liveSql = `
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('datadir', 'innodb_data_home_dir', 'innodb_undo_directory', 'innodb_log_group_home_dir',
  'aria_log_dir_path', 'log_bin', 'log_bin_basename', 'innodb_page_size', 'innodb_data_file_path', 'innodb_undo_tablespaces',
  'innodb_checksum_algorithm', 'innodb_log_file_size', 'lower_case_table_names', 'character_set_server', 'collation_server',
  'explicit_defaults_for_timestamp', 'sql_mode', 'time_zone', 'event_scheduler', 'innodb_encrypt_tables', 'innodb_encrypt_log',
  'aria_encrypt_tables', 'wsrep_on');
SELECT COALESCE(SUM(USER = 'system user' AND COMMAND IN ('Slave_IO', 'Slave_SQL', 'Slave_worker')), 0) AS following
  FROM information_schema.PROCESSLIST;
SELECT CONCAT(USER, ' at ', HOST) AS name FROM information_schema.PROCESSLIST
 WHERE COMMAND LIKE 'Binlog Dump%' AND USER <> SUBSTRING_INDEX(USER(), '@', 1);`;

const isOn = (value: string | undefined): boolean => !["", "0", "OFF", undefined].includes(value);

/** @throws RefloatError source.* */
export const readLiveServer = async (access: SqlAccess): Promise<LiveServer> => {
  const facts = await readServerFacts(access);
  const [variables = [], replica = [], followers = []] = (await runSql(access, liveSql)).slice(-3);
  const values = new Map(variables.map((row) => [textOf(row, "Variable_name"), textOf(row, "Value")]));
  return {
    ...facts,
    variables: values,
    isReplica: numberOf(replica[0], "following") > 0,
    followers: followers.map((row) => textOf(row, "name")),
    isClusterNode: isOn(values.get("wsrep_on")),
  };
};

/** Asked under which options the files were made: without them they are not read, or read as something else. */
const instanceSettings = [
  "innodb_page_size",
  "innodb_data_file_path",
  "innodb_undo_tablespaces",
  "innodb_checksum_algorithm",
  "lower_case_table_names",
  "character_set_server",
  "collation_server",
  "explicit_defaults_for_timestamp",
  "sql_mode",
] as const;

export const settingsOf = ({ variables }: LiveServer): Readonly<Record<string, string>> => {
  const zone = variables.get("time_zone") ?? "SYSTEM";
  return {
    ...Object.fromEntries(
      instanceSettings.flatMap((name) => {
        const value = variables.get(name);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    ...(zone === "SYSTEM" ? {} : { default_time_zone: zone }),
  };
};

const unsupported = (message: string, hint: string): RefloatError =>
  new RefloatError("source.unsupported", message, { hint });

const plainFolder = async (path: string): Promise<string> => {
  const plain = path.replace(/\/+$/, "");
  return realpath(plain).catch(() => plain);
};

/** Does a path that a server names lie in its data folder? Relative ones begin there. */
const liesIn = async (path: string, data: string): Promise<boolean> =>
  !path.startsWith("/") || (await plainFolder(path)) === data || (await plainFolder(path)).startsWith(`${data}/`);

const elsewhere = ["innodb_data_home_dir", "innodb_undo_directory", "innodb_log_group_home_dir", "aria_log_dir_path"];

/** Why a server cannot be captured, or a copy of it not be run beside it; null when it can. */
export const whyNotCaptured = async (
  { variables, dataFolder, isReplica, isClusterNode }: LiveServer,
  stable: string,
): Promise<RefloatError | null> => {
  const data = await plainFolder(stable);
  if ((await plainFolder(dataFolder)) !== data)
    return unsupported(`the server that answers works in ${dataFolder}, not in ${stable}`, "correct data: or url:");
  if (isReplica)
    return unsupported(
      "the server follows another one",
      "name the primary in the url; a capture of a replica is not supported",
    );
  if (isClusterNode)
    return unsupported(
      "the server is a node of a Galera cluster",
      "a node is not put back by itself: take points of its databases, as components of type mariadb",
    );
  for (const name of elsewhere) {
    const path = variables.get(name) ?? "";
    if (!(await liesIn(path, data)))
      return unsupported(
        `${name} is ${path}: files of InnoDB or Aria lie outside of the data folder`,
        "move them into it; a server is put back by the path of one folder",
      );
  }
  for (const name of ["innodb_encrypt_tables", "innodb_encrypt_log", "aria_encrypt_tables"])
    if (isOn(variables.get(name)))
      return unsupported(
        `${name} is on: files are encrypted by the server, whose keys a copy would need`,
        "take points of its databases, as components of type mariadb; the vault encrypts all that it holds",
      );
  return null;
};

/** Where the binary log lies, if that is not in the data folder: it would go on in the same files whatever is put behind the name. */
export const logOutside = async ({ variables, hasBinlog }: LiveServer, stable: string): Promise<string | null> => {
  const path = variables.get("log_bin_basename") ?? "";
  return !hasBinlog || (await liesIn(path.replace(/\/[^/]*$/, ""), await plainFolder(stable))) ? null : path;
};
