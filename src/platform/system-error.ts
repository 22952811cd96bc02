/** What an error of the operating system means to a person, and as which of our errors it crosses a folder. */
import type { ErrorCode } from "../model/error-catalogue.ts";
import { RefloatError } from "../model/refloat-error.ts";

const sentences: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOENT: "it is not there",
  ENOTDIR: "a part of its path is no folder",
  ENOSPC: "the file system is full",
  EDQUOT: "the quota is used up",
  EROFS: "the file system is read-only",
  EXDEV: "it is on another file system",
  ENAMETOOLONG: "the name is too long",
  EIO: "the disk reports an error",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ETIMEDOUT: "timed out",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "the network is unreachable",
  ENOTFOUND: "the name cannot be resolved",
  EAI_AGAIN: "the name cannot be resolved now",
};

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).code === "string";

/** `permission denied`, or what the error says of itself. */
export const describeSystemError = (error: unknown): string => {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error);
  return sentences[error.code ?? ""] ?? error.message;
};

/**
 * Runs `act`; an error of the operating system comes out as a RefloatError that begins with `what`. Ours, an abort and
 * programming errors pass as they are.
 */
export const translateSystemErrors = async <Result>(
  code: ErrorCode,
  what: string,
  act: () => Promise<Result>,
): Promise<Result> => {
  try {
    return await act();
  } catch (error) {
    if (error instanceof RefloatError || !isSystemError(error) || error.code === "ABORT_ERR") throw error;
    if (error.code?.startsWith("ERR_") === true) throw error;
    const place = error.path === undefined || what.includes(error.path) ? "" : ` (${error.path})`;
    throw new RefloatError(code, `${what}: ${describeSystemError(error)}${place}`, { cause: error });
  }
};
