/**
 * Fetches the kernel that tests boot in virtual machines: the newest of Debian's own for clouds, downloaded and unpacked by its tools into a
 * folder of the user, whole or not at all. Installs nothing and needs no root.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { findGuestKernel, guestKernelFolder } from "../src/testing/guest-kernel.ts";

/** The package that depends on the newest kernel, whatever its number. */
const newest = "linux-image-cloud-amd64";

const run = (folder: string, program: string, ...words: readonly string[]): string | null => {
  const { status, stdout } = spawnSync(program, words, { cwd: folder, stdio: ["ignore", "pipe", 2], encoding: "utf8" });
  return status === 0 ? stdout : null;
};

/** Name and version of the package; null where the lists of packages do not have it. */
const packageOf = (folder: string): string | null => {
  const shown = run(folder, "apt-cache", "show", "--no-all-versions", newest) ?? "";
  return /^Depends: (linux-image-\S+)/m.exec(shown)?.[1] ?? null;
};

const updateLists = (folder: string, rootPrefix: readonly string[] | null): boolean => {
  if (rootPrefix === null) return false;
  const [program, ...words] = [...rootPrefix, "apt-get", "-qq", "update"];
  return run(folder, program, ...words) !== null;
};

/**
 * @param rootPrefix words that make a command root's, for lists of packages that are not there yet; null where there are none
 * @returns what could not be done, null when it is there
 */
export const fetchGuestKernel = (rootPrefix: readonly string[] | null): string | null => {
  if (findGuestKernel() !== null) return null;
  const target = guestKernelFolder();
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(`${target}.`);
  try {
    const name = packageOf(work) ?? (updateLists(work, rootPrefix) ? packageOf(work) : null);
    if (name === null) return `apt knows no package ${newest}: apt-get update`;
    process.stderr.write(`fetching ${name} for tests of virtual machines (it is not installed)\n`);
    if (run(work, "apt-get", "-qq", "download", name) === null) return `apt-get could not download ${name}`;
    const archive = readdirSync(work).find((file) => file.endsWith(".deb"));
    if (archive === undefined || run(work, "dpkg-deb", "-x", archive, "unpacked") === null)
      return `dpkg-deb could not unpack ${name}`;
    const unpacked = join(work, "unpacked");
    if (findGuestKernel(unpacked) === null) return `${name} has no kernel with modules`;
    rmSync(target, { recursive: true, force: true });
    renameSync(unpacked, target);
    return null;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};
