/** What an SFTP server's answer means. OpenSSH says only "Failure" to a full disk, so the free space is asked for then. */
import { RefloatError } from "../../../../model/refloat-error.ts";
import type { SshSession } from "./ssh-session.ts";

/** SFTP version 3, draft-ietf-secsh-filexfer-02, section 7. */
export const sftpStatus = {
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  unsupported: 8,
} as const;

/** @returns undefined for what is no answer of the server */
export const statusOf = (error: unknown): number | undefined => {
  const { code } = error as { readonly code?: unknown };
  return error instanceof Error && !(error instanceof RefloatError) && typeof code === "number" ? code : undefined;
};

/** Less than this and a failed write is put down to it: the server keeps some blocks for itself. */
const nearlyFullBytes = 1024 * 1024;

type SpaceAnswer = { readonly f_bavail: number; readonly f_frsize: number; readonly f_favail: number };

const isFull = async (session: SshSession, path: string, neededBytes: number): Promise<boolean> => {
  try {
    const space = await session.request<SpaceAnswer>((sftp, done) => sftp.ext_openssh_statvfs(path, done));
    const free = space.f_bavail * space.f_frsize;
    return free < neededBytes + nearlyFullBytes || space.f_favail === 0;
  } catch {
    // Without the extension the server's own word has to do.
    return false;
  }
};

export type FailureOptions = {
  /** As a person would write it. */
  readonly location: string;
  /** What was tried, as in `write data/3f`. */
  readonly act: string;
  readonly session: SshSession | undefined;
  /** A folder on the file system that was written to, and how much was to be written. */
  readonly written?: { readonly path: string; readonly bytes: number };
};

export const sftpFailure = async (error: unknown, options: FailureOptions): Promise<RefloatError> => {
  if (error instanceof RefloatError) return error;
  const { location, act, session, written } = options;
  const status = statusOf(error);
  if (status === sftpStatus.permissionDenied) {
    return new RefloatError("vault.denied", `the vault at ${location} does not let us ${act}: permission denied`, {
      cause: error,
      context: { act },
      hint: "the folder must belong to the user who logs in; a read-only account can recover, but not capture",
    });
  }
  if (written !== undefined && session !== undefined && status === sftpStatus.failure) {
    if (await isFull(session, written.path, written.bytes)) {
      return new RefloatError("vault.no-space", `the vault at ${location} is full`, {
        cause: error,
        context: { act },
        state: "nothing was committed; what was written stays unreferenced until it is pruned",
        hint: "make room on the server's file system, or prune the vault",
      });
    }
  }
  const said = error instanceof Error ? error.message : String(error);
  return new RefloatError("vault.store-failed", `the vault at ${location} failed to ${act}: ${said}`, {
    cause: error,
    context: { act, status: status ?? null },
  });
};
