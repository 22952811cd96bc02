/** What a failure of the server or of the connection means to a person. Nothing else in this folder reads SQLSTATEs to make errors. */
import { DatabaseError } from "pg";
import { createRoleCommand } from "../../core/text/create-role-command.ts";
import type { ErrorCode } from "../../model/error-catalogue.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ConnectionTarget, describeAddress } from "./connection-target.ts";

/** Whether the server is read (capture) or written (restore): a full disk means a different thing. */
export type ServerRole = "source" | "target";

type Translation = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly nextCommand?: string;
};

const networkCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOENT: "there is no socket",
  EACCES: "the socket may not be used",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
};

const lostCodes = new Set(["ECONNRESET", "EPIPE", "ERR_STREAM_DESTROYED", "ERR_STREAM_PREMATURE_CLOSE"]);

const codeOf = (error: unknown): string | undefined => {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
};

/** The server ended the session, or the network did: the same act may succeed when it is made again. */
const isLost = (error: unknown): boolean =>
  lostCodes.has(codeOf(error) ?? "") ||
  (error instanceof Error && /Connection terminated|Client has encountered a connection error/.test(error.message));

/** What a server says who lets people in by their system names (`peer`, as Debian sets it up) asks for another cure than a wrong password. */
const adviceOnRefusal = (
  { message }: DatabaseError,
  { user, host, port, password }: ConnectionTarget,
): Pick<Translation, "hint" | "nextCommand"> => {
  if (/^role ".*" does not exist$/.test(message)) {
    const socketDirectory = isSocket(host) ? host : null;
    const command = createRoleCommand({ role: user, owners: [], socketDirectory, port });
    const hint = `make the role, with the rights that a capture and a recovery need; -g NAME makes it a member of the database's owner too`;
    return isSocket(host) ? { hint, nextCommand: command } : { hint: `${hint}; on the server: ${command}` };
  }
  if (message.startsWith("Peer authentication failed")) {
    return {
      hint:
        `by its socket the server knows people by their system names: leave ${user} out of the url and be let in as yourself, ` +
        `or write postgres://${user}@127.0.0.1:${port}/DATABASE and declare a password`,
    };
  }
  if (password !== null) return { hint: "is the declared password the one that the role has now?" };
  return { hint: noPassword };
};

const noPassword =
  "no password is declared: add `password: ${file:/etc/refloat/db-password}`, or allow the user in pg_hba.conf";

/** A server, a database or a role takes only so many at once. */
export const fullHint = "it has as many connections as it takes: end some, or raise the limit; then try again";

const isSocket = (host: string): boolean => host.startsWith("/");

const translateState = (error: DatabaseError, target: ConnectionTarget, role: ServerRole): Translation | undefined => {
  const state = error.code ?? "";
  const place = describeAddress(target);
  const failed: ErrorCode = role === "source" ? "source.failed" : "target.failed";
  switch (state) {
    case "28P01":
    case "28000":
      return {
        code: "source.denied",
        message: `the server at ${place} refuses user ${target.user}: ${error.message}`,
        ...adviceOnRefusal(error, target),
      };
    case "3D000":
      return {
        code: failed,
        message: `there is no database "${target.database}" at ${place}`,
        hint: "if it was lost, recover it; else correct the url in refloat.yaml",
      };
    case "42501":
      return {
        code: "source.denied",
        message: `user ${target.user} lacks a right: ${error.message}`,
        hint: "refloat validate --live prints the GRANTs of captures and recoveries; to put rows back takes SELECT, INSERT, UPDATE and DELETE on their tables (docs/mend.md)",
      };
    case "53100":
      return {
        code: failed,
        message: `the disk of the server at ${place} is full: ${error.message}`,
        hint: "free space there, then try again",
      };
    case "53200":
      return {
        code: failed,
        message: `the server at ${place} is out of memory: ${error.message}`,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      };
    case "53300":
      // It is up: whoever took it for one that died would leave out what is written to it.
      return {
        code: "source.under-pressure",
        message: `the server at ${place} has no connection left: ${error.message}`,
        hint: fullHint,
      };
    case "57P01":
    case "57P02":
      return {
        code: "source.unreachable",
        message: `the server at ${place} ended our session: ${error.message}`,
        hint: "an administrator or a shutdown did it; nothing was half done",
      };
    case "57P03":
      return { code: "source.unreachable", message: `the server at ${place} is not ready: ${error.message}` };
    case "55P03":
      return {
        code: "source.under-pressure",
        message: `a table is locked by another session: ${error.message}`,
        hint: "an ALTER, TRUNCATE or VACUUM FULL is going on; try again later, or raise lockTimeout",
      };
    case "72000":
      return {
        code: "source.under-pressure",
        message: `the server has given up the snapshot: ${error.message}`,
        hint: "raise old_snapshot_threshold, or capture at a quieter time",
      };
    case "XX000":
      // DROP DATABASE writes everything out first, which a full disk refuses as well.
      if (!error.message.includes("checkpoint request failed")) return undefined;
      return {
        code: failed,
        message: `the server at ${place} cannot write to its disk: ${error.message}`,
        hint: "a full disk is the usual reason, its log knows: free space there, then try again",
      };
    case "58P01":
      return { code: failed, message: `the server at ${place} lacks a file: ${error.message}` };
    default:
      return undefined;
  }
};

/** Already one of ours, an abort by the caller, or a translation that keeps the original as its cause. */
export const serverError = (error: unknown, target: ConnectionTarget, role: ServerRole): RefloatError => {
  if (error instanceof RefloatError) return error;
  const place = describeAddress(target);
  const failed: ErrorCode = role === "source" ? "source.failed" : "target.failed";
  const make = ({ code, message, ...advice }: Translation): RefloatError =>
    new RefloatError(code, message, {
      cause: error,
      context: { address: place, database: target.database },
      ...advice,
    });
  if (error instanceof DatabaseError) {
    const translated = translateState(error, target, role);
    if (translated !== undefined) return make(translated);
    const where = error.where === undefined ? "" : ` (${error.where.split("\n")[0]})`;
    return make({
      code: failed,
      message: `the server at ${place} answered: ${error.message}${where}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
  const network = networkCodes[codeOf(error) ?? ""];
  if (network !== undefined) {
    return make({ code: "source.unreachable", message: `the server at ${place} does not answer: ${network}` });
  }
  if (isLost(error)) {
    return make({ code: "source.unreachable", message: `the connection to the server at ${place} was lost` });
  }
  if (error instanceof Error && /timeout expired/.test(error.message)) {
    return make({ code: "source.unreachable", message: `the server at ${place} does not answer: no answer in time` });
  }
  // The client's own words, before the server has said no.
  if (error instanceof Error && /client password must be a/.test(error.message)) {
    return make({
      code: "source.denied",
      message: `the server at ${place} asks user ${target.user} for a password`,
      hint: noPassword,
    });
  }
  if (error instanceof Error && /certificate|altnames/.test(error.message)) {
    return make({
      code: failed,
      message: `the certificate of the server at ${place} is not trusted: ${error.message}`,
      hint: "add sslrootcert=/path/of/the/authority.pem to the url",
    });
  }
  if (error instanceof Error && /does not support SSL/.test(error.message)) {
    return make({
      code: failed,
      message: `the server at ${place} has no encryption`,
      hint: "set ssl = on in its configuration, or leave sslmode out of the url",
    });
  }
  return make({
    code: failed,
    message: `the server at ${place} could not be used: ${error instanceof Error ? error.message : String(error)}`,
  });
};

/** The SQLSTATE behind an error of ours, for the few places where an expected refusal is an answer. */
export const sqlStateOf = (error: unknown): string | undefined => {
  if (error instanceof DatabaseError) return error.code;
  return error instanceof Error && error.cause !== undefined ? sqlStateOf(error.cause) : undefined;
};

/** What a server has said of a statement that it refuses: its own words, and the character (from 1) that it stumbled at. */
export const refusalOf = (
  error: unknown,
): { readonly state: string; readonly said: string; readonly position: number | null } | null => {
  if (error instanceof DatabaseError) {
    const position = Number(error.position ?? "");
    return { state: error.code ?? "", said: error.message, position: position > 0 ? position : null };
  }
  return error instanceof Error && error.cause !== undefined ? refusalOf(error.cause) : null;
};
