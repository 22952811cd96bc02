/** Reads a file of a folder, or a range of it: at once in a thread of its own, beside other work elsewhere. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

export type LocalRead = {
  /** No longer than what was asked for. */
  readonly target: Buffer;
  /** Less than that where the file ends before. */
  readonly found: number;
};

/** @param wanted memory to fill, a length, or undefined for the whole file @throws what the file system does */
export const readLocal = async (
  path: string,
  isBlocking: boolean,
  offset: number,
  wanted: Buffer | number | undefined,
): Promise<LocalRead> => {
  const room = (sizeBytes: number): Buffer =>
    typeof wanted === "object" ? wanted : Buffer.allocUnsafeSlow(wanted ?? sizeBytes);
  if (isBlocking) {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      const target = room(wanted === undefined ? fstatSync(fd).size : 0);
      return { target, found: fill((at) => readSync(fd, target, at, target.length - at, offset + at), target.length) };
    } finally {
      closeSync(fd);
    }
  }
  const handle = await open(path, "r");
  try {
    const target = room(wanted === undefined ? (await handle.stat()).size : 0);
    return { target, found: await fillFrom(handle, target, offset) };
  } finally {
    await handle.close();
  }
};

const fill = (readMore: (at: number) => number, wanted: number): number => {
  let at = 0;
  while (at < wanted) {
    const got = readMore(at);
    if (got === 0) break;
    at += got;
  }
  return at;
};

const fillFrom = async (handle: FileHandle, target: Buffer, offset: number): Promise<number> => {
  let at = 0;
  while (at < target.length) {
    const { bytesRead } = await handle.read(target, at, target.length - at, offset + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
};
