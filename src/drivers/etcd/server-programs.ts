/** The programs of etcd: where they are, and that they can take what was captured. Snapshots are restored by etcdutl, before 3.5 by etcdctl. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type EtcdContext, pathOption } from "./etcd-options.ts";
import { seriesOf } from "./server-facts.ts";

const lookFor = async (context: EtcdContext, program: string): Promise<string | null> => {
  const declared = await pathOption(context, "programs");
  const folders = declared === null ? (baseEnvironment()["PATH"] ?? "").split(delimiter) : [declared];
  for (const folder of folders) {
    const path = join(folder, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && isThere) return path;
  }
  return null;
};

export type EtcdPrograms = {
  readonly server: string;
  readonly version: string;
  /** Makes a data folder of a snapshot. */
  readonly restorer: string;
};

const missing = (what: string, debianPackage: string): RefloatError =>
  new RefloatError("program.missing", `the program ${what} is not installed, or not where it is looked for`, {
    hint: "programs: names a folder elsewhere",
    nextCommand: `apt-get install ${debianPackage}`,
  });

/** @throws RefloatError program.missing naming the Debian package */
export const findEtcdPrograms = async (context: EtcdContext): Promise<EtcdPrograms> => {
  const server = await lookFor(context, "etcd");
  if (server === null) throw missing("etcd", "etcd-server");
  const restorer = (await lookFor(context, "etcdutl")) ?? (await lookFor(context, "etcdctl"));
  if (restorer === null) throw missing("etcdutl (before 3.5: etcdctl)", "etcd-client");
  const { stdout } = await runProgram(server, ["--version"], { signal: context.signal });
  return { server, restorer, version: /etcd Version: (\S+)/.exec(stdout)?.[1] ?? "unknown" };
};

/** etcd itself refuses to go back by a minor version. @throws RefloatError program.version, program.missing */
export const requireReadable = async (context: EtcdContext, captured: string): Promise<EtcdPrograms> => {
  const programs = await findEtcdPrograms(context);
  if (seriesOf(programs.version) >= seriesOf(captured)) return programs;
  throw new RefloatError(
    "program.version",
    `etcd ${programs.version} of this machine does not take what etcd ${captured} has written`,
    { hint: `install etcd ${captured} or newer, or name its folder by programs:` },
  );
};
