/**
 * The immutable flag of a file (`chattr +i`): while it is set nobody changes, renames or removes the file, root included; only root sets
 * and lifts it. Node has no ioctl, so the program `chattr` does that, for many files at once. To ask needs no program and no right:
 * the kernel refuses to write to such a file before it looks at any permission, and with another error.
 */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { toRefloatError } from "../../../model/refloat-error.ts";
import { runProgram } from "../../../platform/subprocess.ts";

/** Far below what one command line may hold. */
const filesAtOnce = 500;

/** @throws NodeJS.ErrnoException ENOENT and the like */
export const isImmutable = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.W_OK);
    return false;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EPERM") return true;
    if (["EACCES", "EROFS", "ETXTBSY"].includes(code)) return false;
    throw error;
  }
};

type Change = "+i" | "-i";

/** @returns what the program said when not all went well; whether a file has the flag is for `isImmutable` to say */
const change = async (flag: Change, paths: readonly string[]): Promise<string | null> => {
  let said: string | null = null;
  for (let at = 0; at < paths.length; at += filesAtOnce) {
    try {
      await runProgram("chattr", [flag, "--", ...paths.slice(at, at + filesAtOnce)], {
        signal: AbortSignal.timeout(60_000),
        environment: { LC_ALL: "C" },
      });
    } catch (error) {
      said ??= toRefloatError(error).message;
    }
  }
  return said;
};

type Batch = { readonly paths: string[]; readonly done: Promise<string | null> };

/** A start of a program costs milliseconds: what is asked for while one runs goes together into the next. */
const gathered = (flag: Change): ((path: string) => Promise<string | null>) => {
  let open: Batch | undefined;
  let running: Promise<unknown> = Promise.resolve();
  return async (path) => {
    if (open === undefined) {
      const paths: string[] = [];
      const done = running.then(async () => {
        open = undefined;
        return change(flag, paths);
      });
      open = { paths, done };
      running = done;
    }
    open.paths.push(path);
    return open.done;
  };
};

/** Both answer with what `chattr` complained of, which need not concern this file. */
export const setImmutable = gathered("+i");
export const clearImmutable = gathered("-i");
