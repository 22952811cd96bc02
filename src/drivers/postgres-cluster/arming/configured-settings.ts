/** What the configuration of a cluster says, asked of its own program, which starts nothing for that: files, their includes and its command line. */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { asOwner, giveTree, ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { partialName } from "../../../platform/partial-names.ts";
import { runProgram } from "../../../platform/subprocess.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { settingsOf, wordsOf } from "../command-line.ts";
import { readMajor } from "../control-data.ts";
import { findServerPrograms } from "../server-programs.ts";

export type ConfiguredRequest = {
  readonly folder: string;
  /** In place of the postgresql.auto.conf that lies there. */
  readonly automatic: string;
  /** With what its server is started. */
  readonly options: string;
  readonly names: readonly string[];
};

export type Configured =
  | { readonly known: true; readonly values: Readonly<Record<string, string>> }
  | { readonly known: false; readonly why: string };

/** Where its main file lies; null where that is not on this machine. */
const configurationOf = async (folder: string, options: string): Promise<string | null> => {
  const path = settingsOf(options).get("config_file") ?? join(folder, "postgresql.conf");
  return (await pathExists(path)) ? path : null;
};

/** Without what an extension brings: only its library knows that. */
export const readConfigured = async (context: ClusterContext, request: ConfiguredRequest): Promise<Configured> => {
  const { folder, automatic, options, names } = request;
  const configuration = await configurationOf(folder, options);
  if (configuration === null)
    return {
      known: false,
      why: `${settingsOf(options).get("config_file") ?? "its postgresql.conf"} is not on this machine`,
    };
  const programs = await findServerPrograms(context, await readMajor(folder));
  const owner = await ownerOf(folder, context.signal);
  const { prefix, environment } = await asOwner(context, owner, "ours");
  // Its automatic settings are read from where its data is said to be.
  const stand = partialName(join(tmpdir(), "settings"));
  try {
    await mkdir(stand, { mode: 0o700 });
    await chmod(stand, 0o700);
    await writeFile(join(stand, "postgresql.auto.conf"), automatic, { mode: 0o600 });
    await giveTree(stand, owner, context.signal);
    const ask = async (name: string): Promise<readonly [string, string]> => {
      const words = [
        ...prefix,
        join(programs, "postgres"),
        "-C",
        name,
        "-D",
        stand,
        ...wordsOf(options),
        "-c",
        `config_file=${configuration}`,
        "-c",
        `data_directory=${stand}`,
      ];
      const [program = "", ...args] = words;
      const { stdout } = await runProgram(program, args, {
        signal: context.signal,
        environment,
        cleanEnvironment: true,
        cwd: "/",
      });
      return [name, stdout.replace(/\n$/, "")];
    };
    return { known: true, values: Object.fromEntries(await Promise.all(names.map(ask))) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return { known: false, why: `postgres -C cannot read ${configuration}: ${error.message}` };
  } finally {
    await rm(stand, { recursive: true, force: true });
  }
};
