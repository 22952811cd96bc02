/**
 * Kernel and modules of a real guest for tests of virtual machines, from a package of Debian that is unpacked and never installed: nothing of
 * this machine's own kernel or boot is touched. Fetched by `npm run setup` into the user's cache.
 */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export type GuestKernel = {
  readonly kernel: string;
  /** Folder of its modules, in folders of their own. */
  readonly modules: string;
};

export const guestKernelFolder = (): string =>
  join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "refloat-tests", "guest-kernel");

/** @returns null where it has not been fetched */
export const findGuestKernel = (folder = guestKernelFolder()): GuestKernel | null => {
  const boot = join(folder, "boot");
  const name = existsSync(boot) ? readdirSync(boot).find((file) => file.startsWith("vmlinuz-")) : undefined;
  if (name === undefined) return null;
  const modules = ["lib", "usr/lib"]
    .map((path) => join(folder, path, "modules", name.slice("vmlinuz-".length)))
    .find((path) => existsSync(path));
  return modules === undefined ? null : { kernel: join(boot, name), modules };
};
