/** Makes what did not exist before, under another name until it is whole. Replaces nothing. */
import { link, lstat, open, rename, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { ByteStream } from "../core/ports/bytes.ts";
import type { NewPlaces } from "../core/ports/new-places.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { syncDirectory } from "./atomic-file.ts";
import { partialName, sweepPartials } from "./partial-names.ts";
import { tarArchive } from "./tar-archive.ts";

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unknown";

const failed = (target: string, error: unknown): RefloatError =>
  error instanceof RefloatError
    ? error
    : new RefloatError("target.failed", `${target} cannot be written: ${codeOf(error)}`, {
        cause: error,
        context: { path: target, code: codeOf(error) },
        state: "nothing was left there",
        ...(["ENOSPC", "EDQUOT"].includes(codeOf(error)) ? { hint: "make room on its file system" } : {}),
        ...(codeOf(error) === "ENOENT" ? { hint: `is there a folder ${dirname(target)}?` } : {}),
      });

/** Nobody knows the other name: it is that of the place that was meant, unless something could not be removed again. */
const inWordsOf = (target: string, partial: string, error: RefloatError, isGone: boolean): RefloatError => {
  const inWords = (text: string): string => text.replaceAll(partial, target);
  const context = Object.entries(error.context).map(([key, value]) => [
    key,
    typeof value === "string" ? inWords(value) : value,
  ]);
  // What was restored so far lies nowhere any more.
  const left = isGone
    ? "nothing was left there"
    : `what was made until then is still at ${partial}, and nothing needs it`;
  const state = isGone && error.code === "target.exists" ? error.state : left;
  return new RefloatError(error.code, inWords(error.message), {
    cause: error.cause ?? error,
    context: Object.fromEntries(context) as typeof error.context,
    diagnostics: error.diagnostics,
    ...(state === undefined ? {} : { state }),
    ...(error.hint === undefined ? {} : { hint: inWords(error.hint) }),
    ...(isGone
      ? error.nextCommand === undefined
        ? {}
        : { nextCommand: inWords(error.nextCommand) }
      : { nextCommand: `rm -rf '${partial.replaceAll("'", String.raw`'\''`)}'` }),
  });
};

const existing = (target: string): RefloatError =>
  new RefloatError("target.exists", `${target} is there already`, {
    context: { path: target },
    state: "nothing was written, and what is there was not touched",
    hint: "nothing is ever overwritten: name a place where nothing is yet",
  });

const requireNothing = async (target: string): Promise<void> => {
  const found = await lstat(target).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    throw failed(target, error);
  });
  if (found !== null) throw existing(target);
  await lstat(dirname(target)).catch((error: unknown) => {
    throw failed(target, error);
  });
};

/** A rename would replace what has appeared meanwhile; a link to what is no folder does not. */
const settle = async (partial: string, target: string): Promise<void> => {
  if (!(await lstat(partial)).isDirectory()) {
    try {
      await link(partial, target);
      await unlink(partial);
      return;
    } catch (error) {
      if (codeOf(error) === "EEXIST") throw existing(target);
      // A file system without links: what follows is the best that it can do.
      if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(codeOf(error))) throw error;
    }
  }
  await requireNothing(target);
  try {
    await rename(partial, target);
  } catch (error) {
    if (["EEXIST", "ENOTEMPTY", "ENOTDIR", "EISDIR"].includes(codeOf(error))) throw existing(target);
    throw error;
  }
};

const make: NewPlaces["make"] = async (target, fill) => {
  await requireNothing(target);
  await sweepPartials(dirname(target));
  const partial = partialName(target);
  try {
    const result = await fill(partial);
    await settle(partial, target);
    await syncDirectory(dirname(target));
    return result;
  } catch (error) {
    const isGone = await rm(partial, { recursive: true, force: true }).then(
      () => true,
      () => false,
    );
    throw inWordsOf(target, partial, failed(target, error), isGone);
  }
};

const writeFile = async (path: string, bytes: ByteStream, signal: AbortSignal): Promise<number> => {
  const handle = await open(path, "wx", 0o600);
  try {
    let length = 0;
    for await (const part of bytes) {
      signal.throwIfAborted();
      for (let at = 0; at < part.length;) at += (await handle.write(part, at, part.length - at)).bytesWritten;
      length += part.length;
    }
    await handle.sync();
    return length;
  } finally {
    await handle.close();
  }
};

export const newPlaces: NewPlaces = {
  make,
  write: (target, bytes, signal) => make(target, (partial) => writeFile(partial, bytes, signal)),
  archive: tarArchive,
};
