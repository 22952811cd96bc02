/**
 * One connection in the physical replication protocol, which knows commands of its own (IDENTIFY_SYSTEM, BASE_BACKUP,
 * CREATE_REPLICATION_SLOT) and no SQL. The role needs REPLICATION, and pg_hba.conf has to let it in for `replication`.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { CopyFrame, CopyResult } from "./copy-out-frames.ts";
import { CopyOutFrames } from "./copy-out-frames.ts";
import { type SessionOptions, openClient } from "./session.ts";
import { sqlStateOf } from "./server-errors.ts";

export type SystemIdentity = {
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Where the log is flushed to. */
  readonly position: string;
};

export type ReplicationSession = {
  /** A command that answers with rows. */
  readonly command: (text: string) => Promise<readonly Record<string, string | null>[]>;
  readonly identify: () => Promise<SystemIdentity>;
  /** A command whose answer is a COPY stream. @param streamed the kind of message that comes in pieces */
  readonly copyOut: (
    text: string,
    streamed: string,
  ) => { readonly frames: AsyncGenerator<CopyFrame>; readonly results: () => readonly CopyResult[] };
  /** What the server has warned of so far, in its own language. */
  readonly warnings: () => readonly string[];
  readonly translate: (error: unknown) => Error;
  /** Idempotent; never throws. Ends what is under way. */
  readonly close: () => Promise<void>;
};

const insufficientPrivilege = "42501";
/** The class of a warning's SQLSTATE: its severity is told in the server's language. */
const warningClass = /^01/;

/** @throws RefloatError source.denied with the statement that mends it, source.unreachable, source.failed */
export const openReplicationSession = async (options: SessionOptions): Promise<ReplicationSession> => {
  const { user } = options.target;
  const explain = (error: unknown): unknown => {
    const state = sqlStateOf(error);
    const message = error instanceof Error ? error.message : "";
    // PostgreSQL 15 says "walsender", 16 and later "WAL sender".
    const isRole = state === insufficientPrivilege && /replication|wal ?sender/i.test(message);
    const isEntry = state === "28000" && message.includes("pg_hba.conf");
    if (!isRole && !isEntry) return error;
    return new RefloatError("source.denied", message, {
      cause: error,
      ...(isRole
        ? { hint: `as an administrator: ALTER ROLE "${user}" REPLICATION;` }
        : {
            hint: `let it in for replication, by a line of pg_hba.conf such as: host replication ${user} 127.0.0.1/32 scram-sha-256`,
          }),
    });
  };
  const opened = await openClient(options, true).catch((error: unknown) => {
    throw explain(error);
  });
  const { client } = opened;
  const warnings: string[] = [];
  client.on("notice", ({ code = "", message = "" }) => {
    if (warningClass.test(code)) warnings.push(message);
  });
  const translate = (error: unknown): Error => explain(opened.translate(error)) as Error;
  const command: ReplicationSession["command"] = async (text) => {
    try {
      return (await client.query<Record<string, string | null>>(text)).rows;
    } catch (error) {
      throw translate(error);
    }
  };
  return {
    command,
    identify: async () => {
      const [row] = await command("IDENTIFY_SYSTEM");
      return {
        systemIdentifier: String(row?.["systemid"]),
        timeline: Number(row?.["timeline"]),
        position: String(row?.["xlogpos"]),
      };
    },
    copyOut: (text, streamed) => {
      const copy = client.query(new CopyOutFrames(text, streamed));
      const frames = async function* frames(): AsyncGenerator<CopyFrame> {
        try {
          yield* copy.frames();
        } catch (error) {
          throw translate(error);
        }
      };
      return { frames: frames(), results: () => copy.results };
    },
    warnings: () => warnings,
    translate,
    close: () => opened.close(false),
  };
};
