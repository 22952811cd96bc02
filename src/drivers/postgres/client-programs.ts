/**
 * pg_dump, pg_restore and pg_dumpall: which ones are used for a server of a given version, and how they are told where to go.
 * The password goes by environment, never on the command line.
 */
import { constants } from "node:fs";
import { access, readdir, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { applicationName } from "../../platform/postgres/application-name.ts";
import type { ConnectionTarget } from "../../platform/postgres/connection-target.ts";

export type ClientPrograms = {
  readonly pgDump: string;
  readonly pgRestore: string;
  readonly pgDumpall: string;
  /** `15.18`, of pg_dump. */
  readonly version: string;
  readonly major: number;
};

const programs = ["pg_dump", "pg_restore", "pg_dumpall"] as const;

const hasAll = async (folder: string): Promise<boolean> => {
  try {
    for (const program of programs) await access(join(folder, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const searchPath = (): string[] => (baseEnvironment()["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");

/** Debian keeps each version apart and puts a wrapper on the path that guesses which is meant: the folders come first. */
const candidateFolders = async (root: string): Promise<string[]> => {
  const versions = await readdir(root).catch(() => []);
  const folders = [...versions.map((version) => join(root, version, "bin")), ...searchPath()];
  const usable: string[] = [];
  for (const folder of folders) {
    if (!(await hasAll(folder))) continue;
    const real = await realpath(folder);
    if (!usable.includes(real)) usable.push(real);
  }
  return usable;
};

/** `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` gives 15.18 */
export const parseProgramVersion = (text: string): { readonly version: string; readonly major: number } | undefined => {
  const match = /\(PostgreSQL\) ((\d+)(?:\.\d+|devel|beta\d+|rc\d+)*)/.exec(text);
  return match === null ? undefined : { version: match[1] ?? "", major: Number(match[2]) };
};

/**
 * The programs that fit the server: of its own major version if there are any, else the oldest newer ones.
 * @throws RefloatError program.missing, program.version
 */
export const findClientPrograms = async (
  serverMajor: number,
  signal: AbortSignal,
  root = "/usr/lib/postgresql",
): Promise<ClientPrograms> => {
  const found: ClientPrograms[] = [];
  for (const folder of await candidateFolders(root)) {
    const pgDump = join(folder, "pg_dump");
    const version = parseProgramVersion((await runProgram(pgDump, ["--version"], { signal })).stdout);
    if (version === undefined) continue;
    found.push({
      pgDump,
      pgRestore: join(folder, "pg_restore"),
      pgDumpall: join(folder, "pg_dumpall"),
      ...version,
    });
  }
  if (found.length === 0) {
    throw new RefloatError("program.missing", "pg_dump, pg_restore and pg_dumpall are not installed", {
      hint: `they were looked for under ${root}/*/bin and on the path`,
      nextCommand: `apt-get install postgresql-client-${serverMajor}`,
    });
  }
  const fitting = found.filter(({ major }) => major >= serverMajor).sort((a, b) => a.major - b.major)[0];
  if (fitting === undefined) {
    const versions = found.map(({ version }) => version).join(", ");
    throw new RefloatError(
      "program.version",
      `pg_dump ${versions} is older than the server, which is version ${serverMajor}`,
      {
        hint: "a pg_dump cannot read a newer server",
        nextCommand: `apt-get install postgresql-client-${serverMajor}`,
      },
    );
  }
  return fitting;
};

const quoteConninfo = (value: string): string => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** `--dbname=...` with all but the password: a database called `a=b` must not be read as a parameter. */
export const connectionArgument = (target: ConnectionTarget, marker: string): string => {
  const parameters: Record<string, string> = {
    host: target.host,
    port: String(target.port),
    user: target.user,
    dbname: target.database,
    application_name: applicationName(marker),
    sslmode: target.tls,
    ...(target.tlsRootCertificate === null ? {} : { sslrootcert: target.tlsRootCertificate }),
  };
  const text = Object.entries(parameters)
    .map(([name, value]) => `${name}=${quoteConninfo(value)}`)
    .join(" ");
  return `--dbname=${text}`;
};

/**
 * The whole environment of a client program: nothing of PG* that we inherited, so that it goes where we go.
 * @param settings of the server for the program's sessions, e.g. `{ synchronous_commit: "off" }`
 */
export const programEnvironment = (
  target: ConnectionTarget,
  settings: Readonly<Record<string, string>> = {},
): Record<string, string> => {
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, "\\$&")}`);
  return {
    ...baseEnvironment(),
    LC_ALL: "C",
    ...(options.length === 0 ? {} : { PGOPTIONS: options.join(" ") }),
    ...(target.password === null ? {} : { PGPASSWORD: target.password.reveal() }),
  };
};
