/**
 * Whole files over one SFTP channel: many requests are on their way at once, so that a transfer costs its bytes and not their round trips.
 * Knows nothing of the vault's layout.
 */
import type { Pace } from "../decorators/throttle.ts";
import { sftpStatus, statusOf } from "./sftp-failure.ts";
import type { SshSession } from "./ssh-session.ts";

/**
 * Together below the 2 MiB that OpenSSH lets a channel have under way: beyond it ssh2 queues, and a pack takes four times as long.
 */
const pieceBytes = 64 * 1024;
const piecesAtOnce = 24;

const openRead = 1;
const openWriteNew = 0x02 | 0x08 | 0x20;

/** Runs `act` for each piece of `length` bytes, several at once; the first failure is thrown when all have ended. */
const inPieces = async (length: number, act: (at: number, size: number) => Promise<void>): Promise<void> => {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < length && failure === undefined) {
      const at = next;
      next += pieceBytes;
      try {
        await act(at, Math.min(pieceBytes, length - at));
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(piecesAtOnce, Math.ceil(length / pieceBytes)) }, lane));
  if (failure !== undefined) throw failure.error;
};

export const openToRead = async (session: SshSession, path: string): Promise<Buffer> =>
  session.request<Buffer>((sftp, done) => sftp.open(path, openRead, done));

export const closeHandle = async (session: SshSession, handle: Buffer): Promise<void> =>
  session.request((sftp, done) => sftp.close(handle, done));

export const sizeOf = async (session: SshSession, handle: Buffer): Promise<number> => {
  const { size } = await session.request<{ readonly size: number }>((sftp, done) => sftp.fstat(handle, done));
  return size;
};

/** @returns how many bytes there were; fewer than `target` holds if the file ends before */
export const readInto = async (
  session: SshSession,
  handle: Buffer,
  target: Buffer,
  offset: number,
  pace: Pace | undefined,
): Promise<number> => {
  let endsAt = target.length;
  await inPieces(target.length, async (at, size) => {
    await pace?.download(size);
    for (let got = 0; got < size;) {
      // At the end of the file ssh2 answers with no bytes.
      const more = await session.request<number>((sftp, done) =>
        sftp.read(handle, target, at + got, size - got, offset + at + got, done),
      );
      if (more === 0) {
        endsAt = Math.min(endsAt, at + got);
        return;
      }
      got += more;
    }
  });
  return endsAt;
};

/** Makes a new file that only its owner may read, and nobody may write to once it is closed. */
export const writeNew = async (
  session: SshSession,
  path: string,
  content: Buffer,
  pace: Pace | undefined,
): Promise<void> => {
  const handle = await session.request<Buffer>((sftp, done) => sftp.open(path, openWriteNew, 0o400, done));
  try {
    await inPieces(content.length, async (at, size) => {
      await pace?.upload(size);
      await session.request((sftp, done) => sftp.write(handle, content, at, size, at, done));
    });
    const size = await sizeOf(session, handle);
    if (size !== content.length) throw new Error(`the server kept ${size} of ${content.length} bytes`);
    await syncHandle(session, handle);
  } catch (error) {
    await closeHandle(session, handle).catch(() => undefined);
    throw error;
  }
  await closeHandle(session, handle);
};

/** Where the server can: fsync@openssh.com. */
const syncHandle = async (session: SshSession, handle: Buffer): Promise<void> => {
  try {
    await session.request((sftp, done) => sftp.ext_openssh_fsync(handle, done));
  } catch (error) {
    if (!isMissingExtension(error)) throw error;
  }
};

/** A rename lasts once its folder is on disk; OpenSSH's server opens and flushes a folder like a file. Others may refuse. */
export const syncFolder = async (session: SshSession, path: string): Promise<void> => {
  let handle: Buffer;
  try {
    handle = await openToRead(session, path);
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
    return;
  }
  try {
    await syncHandle(session, handle);
  } catch (error) {
    if (statusOf(error) === undefined) throw error;
  } finally {
    await closeHandle(session, handle);
  }
};

/** ssh2 itself refuses to send what the server did not offer; a server may also answer that it does not know it. */
const isMissingExtension = (error: unknown): boolean =>
  statusOf(error) === sftpStatus.unsupported ||
  (error instanceof Error && error.message === "Server does not support this extended request");

/**
 * Gives a file its name, over another one of that name. Atomic by posix-rename@openssh.com; without it the name is free for a moment if it was
 * taken, which only happens when the same file is written again.
 */
export const renameOver = async (session: SshSession, from: string, to: string): Promise<void> => {
  try {
    await session.request((sftp, done) => sftp.ext_openssh_rename(from, to, done));
    return;
  } catch (error) {
    if (!isMissingExtension(error)) throw error;
  }
  const plainly = async (): Promise<void> => session.request((sftp, done) => sftp.rename(from, to, done));
  try {
    await plainly();
  } catch (error) {
    if (statusOf(error) !== sftpStatus.failure) throw error;
    await session.request((sftp, done) => sftp.unlink(to, done));
    await plainly();
  }
};
