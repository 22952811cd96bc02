/** What a server says of its binary log: how it is written, which files there are, and how long they stay. */
import { RefloatError } from "../../model/refloat-error.ts";
import { type BinlogFile, readFileName } from "./binlog-line.ts";
import { describeAddress } from "./connection-target.ts";
import { type SqlAccess, numberOf, runSql, textOf } from "./sql-client.ts";

export type BinlogSettings = {
  readonly isOn: boolean;
  /** `ROW`, `MIXED`, `STATEMENT`: what sessions begin with. */
  readonly format: string;
  readonly rowImage: string;
  readonly isEncrypted: boolean;
  readonly serverId: number;
  /** It does not tell names of databases and tables apart by case. */
  readonly ignoresCase: boolean;
  /** How long files stay; 0 for ever. */
  readonly keptSeconds: number;
  readonly syncs: boolean;
  /** Databases that are left out of it, or the only ones in it, as `binlog_do_db` and `binlog_ignore_db` say. */
  readonly filters: string;
};

export type BinlogListing = {
  readonly base: string;
  /** Number of a file to its size, oldest first. */
  readonly files: ReadonlyMap<number, number>;
};

const isSet = (text: string): boolean => text === "1" || text === "ON";

export const readBinlogSettings = async (access: SqlAccess): Promise<BinlogSettings> => {
  const [variables = []] = await runSql(
    access,
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', 'encrypt_binlog', 'server_id',
       'lower_case_table_names', 'expire_logs_days', 'binlog_expire_logs_seconds', 'sync_binlog');`,
  );
  const values = new Map(variables.map((row) => [textOf(row, "Variable_name"), textOf(row, "Value")]));
  const value = (name: string): string => values.get(name) ?? "";
  const isOn = isSet(value("log_bin"));
  const [status = []] = isOn ? await runSql(access, "SHOW MASTER STATUS;") : [];
  const [filters] = status.map((row) =>
    [textOf(row, "Binlog_Do_DB"), textOf(row, "Binlog_Ignore_DB")].filter((text) => text !== "").join(", "),
  );
  return {
    isOn,
    format: value("binlog_format"),
    rowImage: value("binlog_row_image"),
    isEncrypted: isSet(value("encrypt_binlog")),
    serverId: Number(value("server_id")),
    ignoresCase: value("lower_case_table_names") !== "0",
    keptSeconds: Number(value("binlog_expire_logs_seconds")) || Number(value("expire_logs_days")) * 86_400,
    syncs: value("sync_binlog") === "1",
    filters: filters ?? "",
  };
};

/** What keeps a log from being received, or what is received from being gone on by; null when nothing does. */
export const unusable = (settings: BinlogSettings): { readonly reason: string; readonly hint: string } | null => {
  if (!settings.isOn) {
    return {
      reason: "it writes no binary log",
      hint: "in its configuration, below [mariadbd]: log_bin = binlog and binlog_format = ROW; then restart it",
    };
  }
  if (settings.isEncrypted) {
    return {
      reason: "it encrypts its binary log, whose bytes it then gives in another form than it keeps them",
      hint: "encrypt_binlog = OFF; the vault encrypts all that it holds",
    };
  }
  if (settings.format !== "ROW") {
    return {
      reason: `it logs statements (binlog_format = ${settings.format}), which cannot be told apart by database with certainty`,
      hint: "as an administrator: SET GLOBAL binlog_format = 'ROW'; and binlog_format = ROW in its configuration. Sessions that are open keep what they have",
    };
  }
  if (settings.filters !== "") {
    return {
      reason: `its binary log is filtered (${settings.filters})`,
      hint: "take binlog_do_db and binlog_ignore_db out of its configuration, and restart it",
    };
  }
  return null;
};

/** @throws RefloatError source.unsupported */
export const refuseUnusable = (access: Pick<SqlAccess, "target">, settings: BinlogSettings): void => {
  const found = unusable(settings);
  if (found === null) return;
  throw new RefloatError(
    "source.unsupported",
    `the log of the server at ${describeAddress(access.target)} cannot be received: ${found.reason}`,
    { hint: found.hint, nextCommand: "refloat validate --live" },
  );
};

/** @throws RefloatError source.unsupported where names of files are not what MariaDB gives them */
export const listBinlogs = async (access: SqlAccess): Promise<BinlogListing> => {
  const [rows = []] = await runSql(access, "SHOW BINARY LOGS;");
  const files = rows.map((row) => ({
    file: readFileName(textOf(row, "Log_name")),
    sizeBytes: numberOf(row, "File_size"),
  }));
  const named = files.flatMap(({ file, sizeBytes }) => (file === null ? [] : [{ ...file, sizeBytes }]));
  const [first] = named;
  if (first === undefined) {
    throw new RefloatError("source.unsupported", "the server lists no file of a binary log", {
      hint: "SHOW BINARY LOGS",
    });
  }
  return { base: first.base, files: new Map(named.map(({ number, sizeBytes }) => [number, sizeBytes])) };
};

export const lastFile = ({ base, files }: BinlogListing): BinlogFile => ({
  base,
  number: Math.max(...files.keys()),
});

/** Of the files from the last one back, the oldest without a number that is missing between. */
export const firstUnbroken = ({ files }: BinlogListing): number => {
  let number = Math.max(...files.keys());
  while (files.has(number - 1)) number -= 1;
  return number;
};
