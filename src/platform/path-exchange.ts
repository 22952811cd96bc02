/**
 * Exchanges two names of one file system in one atomic act: renameat2(2) with RENAME_EXCHANGE. Node has no call for it, so the
 * system call is made by perl, which is part of every Debian system (perl-base). Knows nothing of what the names stand for.
 */
import { rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RefloatError } from "../model/refloat-error.ts";
import { syncDirectory } from "./atomic-file.ts";
import { runProgram } from "./subprocess.ts";

/** Number of renameat2 by Node's name of the processor; from the kernel's own tables. */
const renameat2Numbers: Readonly<Record<string, number>> = {
  x64: 316,
  ia32: 353,
  arm: 382,
  arm64: 276,
  riscv64: 276,
  loong64: 276,
  ppc64: 357,
  s390x: 347,
};

/** AT_FDCWD is -100, RENAME_EXCHANGE is 2. Prints `ok` or the error's number and text; paths arrive as arguments, byte for byte. */
const script =
  'my ($n, $a, $b) = @ARGV; if (syscall($n + 0, -100, $a, -100, $b, 2) == 0) { print "ok" } else { printf "%d %s", $! + 0, $! }';

/** EINVAL and ENOSYS and EOPNOTSUPP: this kernel or file system cannot exchange. */
const unsupportedNumbers: ReadonlySet<string> = new Set(["22", "38", "95"]);

export type ExchangeAbility = { readonly atomic: true } | { readonly atomic: false; readonly why: string };

/**
 * @returns `atomic: false` with the reason when this machine cannot; then nothing was changed
 * @throws RefloatError target.failed when a name is missing or may not be changed
 */
export const exchangePaths = async (a: string, b: string, signal: AbortSignal): Promise<ExchangeAbility> => {
  const number = renameat2Numbers[process.arch];
  if (number === undefined) return { atomic: false, why: `renameat2 is not known for the processor ${process.arch}` };
  let said: string;
  try {
    said = (await runProgram("perl", ["-e", script, String(number), a, b], { signal })).stdout;
  } catch (error) {
    if (error instanceof RefloatError && error.code === "program.missing")
      return { atomic: false, why: "perl is not installed (Debian package perl-base)" };
    throw error;
  }
  if (said === "ok") {
    for (const folder of new Set([dirname(a), dirname(b)])) await syncDirectory(folder);
    return { atomic: true };
  }
  const [errno = ""] = said.split(" ");
  if (unsupportedNumbers.has(errno)) return { atomic: false, why: `the file system of ${a} cannot exchange two names` };
  throw new RefloatError("target.failed", `${a} and ${b} cannot be exchanged: ${said.slice(errno.length + 1)}`, {
    context: { a, b, errno: Number(errno) },
  });
};

/** Tries it on two empty files in `folder`, which are removed again. Another file system than that of `folder` may answer otherwise. */
export const exchangeAbility = async (folder: string, signal: AbortSignal): Promise<ExchangeAbility> => {
  const [a, b] = [join(folder, ".exchange-a"), join(folder, ".exchange-b")];
  try {
    await writeFile(a, "");
    await writeFile(b, "");
    return await exchangePaths(a, b, signal);
  } finally {
    await rm(a, { force: true });
    await rm(b, { force: true });
  }
};
