/** The stock client programs: where they are, of which version, and that they are not older than the server. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runProgram } from "../../platform/subprocess.ts";

export type ClientProgram = "mariadb" | "mariadb-dump" | "mariadb-binlog";

/** @throws RefloatError program.missing naming the Debian package */
export const findProgram = async (program: ClientProgram): Promise<string> => {
  for (const folder of (baseEnvironment()["PATH"] ?? "").split(delimiter)) {
    if (folder === "") continue;
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new RefloatError("program.missing", `the program ${program} is not installed or not on the path`, {
    nextCommand: program === "mariadb-binlog" ? "apt-get install mariadb-server" : "apt-get install mariadb-client",
  });
};

/** `mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for ...`, since 11 `mariadb-dump from 11.4.2-MariaDB, ...`: `10.11.19`. */
export const parseProgramVersion = (text: string): string | null =>
  /(?:Distrib|from) (\d+\.\d+\.\d+)-MariaDB/.exec(text)?.[1] ?? null;

/** Major and minor number as one that can be compared: 10.11 is 10011. */
export const seriesOf = (version: string): number => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000 + minor;
};

/**
 * mariadb-dump, which must not be older than what it reads: it would not know what a newer server has.
 * @throws RefloatError program.missing, program.version
 */
export const findDump = async (
  serverVersion: string,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly version: string }> => {
  const path = await findProgram("mariadb-dump");
  const version = parseProgramVersion((await runProgram(path, ["--version"], { signal })).stdout);
  if (version === null) {
    throw new RefloatError("program.version", `${path} is not MariaDB's own`, {
      hint: "install mariadb-client in place of the client programs of MySQL",
    });
  }
  if (seriesOf(version) < seriesOf(serverVersion)) {
    throw new RefloatError("program.version", `mariadb-dump ${version} is older than the server ${serverVersion}`, {
      hint: "install the client programs of the server's version",
    });
  }
  return { path, version };
};
