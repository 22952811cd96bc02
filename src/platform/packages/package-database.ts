/** What dpkg knows: the packages of this machine, or of the system in another folder. Changes nothing. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { InstalledPackage } from "../../core/packages/debian-package.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../base-environment.ts";
import { runProgram } from "../subprocess.ts";

/** A system, by the folder that is its root. */
export type PackageSystem = { readonly root: string; readonly signal: AbortSignal };

export const dpkgFolder = "var/lib/dpkg";

/** dpkg's own words, whatever language the machine speaks; its helpers lie where only root's path leads. */
export const dpkgEnvironment = (): Readonly<Record<string, string>> => {
  const { PATH = "", ...rest } = baseEnvironment();
  return { ...rest, PATH: `${PATH}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: "C", HOME: "/nonexistent" };
};

/** @throws RefloatError program.missing where there is no dpkg, program.failed */
export const askDpkg = async (
  program: "dpkg" | "dpkg-query" | "dpkg-deb" | "apt-cache" | "apt-get",
  words: readonly string[],
  { signal, ...more }: { readonly signal: AbortSignal; readonly cwd?: string; readonly timeoutMs?: number },
): Promise<string> => {
  try {
    const { stdout } = await runProgram(program, words, {
      signal,
      environment: dpkgEnvironment(),
      cleanEnvironment: true,
      ...more,
    });
    return stdout;
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "program.missing") throw error;
    throw new RefloatError("program.missing", error.message, {
      cause: error,
      hint: "packages are captured and installed on Debian and what is made of it",
    });
  }
};

const fields = [
  "Package",
  "Version",
  "Architecture",
  "db:Status-Status",
  "db:Status-Eflag",
  "Essential",
  "Pre-Depends",
  "Depends",
  "Provides",
  "Conflicts",
  "Breaks",
] as const;

const joined = (...lists: readonly string[]): string => lists.filter((list) => list !== "").join(", ");

/** All that it has a record of, removed ones whose configuration is left too. */
export const readPackages = async ({ root, signal }: PackageSystem): Promise<readonly InstalledPackage[]> => {
  const format = `${fields.map((name) => `\${${name}}`).join("\\t")}\\n`;
  const stdout = await askDpkg("dpkg-query", [`--root=${root}`, "-W", "-f", format], { signal });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): InstalledPackage => {
      const [
        name = "",
        version = "",
        architecture = "",
        status = "",
        flag,
        essential,
        before = "",
        depends = "",
        provides = "",
        conflicts = "",
        breaks = "",
      ] = line.split("\t");
      return {
        name,
        version,
        architecture,
        status,
        mustReinstall: flag === "reinstreq",
        essential: essential === "yes",
        depends: joined(before, depends),
        preDepends: before,
        provides,
        conflicts: joined(conflicts, breaks),
      };
    });
};

/** Those whose packages it takes: its own first. */
export const architecturesOf = async ({ root, signal }: PackageSystem): Promise<readonly string[]> => {
  const own = await askDpkg("dpkg", ["--print-architecture"], { signal });
  const foreign = await readFile(join(root, dpkgFolder, "arch"), "utf8").catch(() => "");
  return [own.trim(), ...foreign.split("\n").filter((line) => line !== "")];
};
