/** One connection to a Redis server: never made anew, closed when the caller is done or aborts. Translates failures; decides nothing. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { type RedisTarget, describeAddress } from "./connection-target.ts";

/** A reply of the older protocol: bulk strings as text. */
export type Reply = string | number | null | readonly Reply[];

export type RedisSession = {
  /** @throws RefloatError source.denied, source.failed, source.unreachable; the signal's reason when aborted */
  readonly ask: (...words: readonly string[]) => Promise<Reply>;
};

const connectTimeoutMs = 10_000;

/** The first word of an error reply says what it is: `NOPERM this user has no permissions ...`. */
const denials = /^(?:NOAUTH|WRONGPASS|NOPERM|DENIED|ERR (?:invalid password|Client sent AUTH|AUTH ))/;

/** Of those the ones that say that the user is not known, or not by this password: a server that says so is up. */
const strangers = /^(?:NOAUTH|WRONGPASS|ERR (?:invalid password|Client sent AUTH|AUTH ))/;

/** The reply of the server that an error came from; null when it was none. */
export const replyOf = (error: unknown): string | null => {
  const reply = error instanceof RefloatError ? error.context["reply"] : undefined;
  return typeof reply === "string" ? reply : null;
};

/** A user that no file has is the usual reason for that on a server that let us in until it was started anew. */
const turnedAwayHint =
  "is the password right? A user that ACL SETUSER has made and no file has is gone once the server was started anew: as an administrator make it again, then ACL SAVE (where an aclfile is set) or give redis.conf its `user ...` line";

export const replyError = (target: RedisTarget, reply: string, what: string): RefloatError => {
  const isDenied = denials.test(reply);
  return new RefloatError(
    isDenied ? "source.denied" : "source.failed",
    `${describeAddress(target)} refuses ${what}: ${reply}`,
    {
      context: { reply },
      ...(isDenied
        ? {
            hint: strangers.test(reply)
              ? turnedAwayHint
              : "refloat validate --live lists the rights that the user needs",
          }
        : {}),
    },
  );
};

/** Loaded where a server is asked: it is large. */
const loadClient = () => import("@redis/client");

const translate = async (target: RedisTarget, error: unknown, what: string): Promise<RefloatError> => {
  if (error instanceof RefloatError) return error;
  const { ErrorReply } = await loadClient();
  if (error instanceof ErrorReply) return replyError(target, error.message, what);
  const reason = error instanceof AggregateError ? error.errors[0] : error;
  return new RefloatError(
    "source.unreachable",
    `${describeAddress(target)} does not answer (${describeSystemError(reason)})`,
    { cause: error },
  );
};

const socketOf = async (target: RedisTarget) => {
  const common = {
    host: target.host,
    port: target.port,
    connectTimeout: connectTimeoutMs,
    reconnectStrategy: false as const,
  };
  if (!target.tls) return common;
  const authority =
    target.certificateAuthority === null ? {} : { ca: await readFile(target.certificateAuthority, "utf8") };
  const name = isIP(target.host) === 0 ? { servername: target.host } : {};
  return { ...common, ...authority, ...name, tls: true as const };
};

/** @throws RefloatError as the session's `ask`, and whatever `act` throws */
export const withRedis = async <Result>(
  { target, signal }: { readonly target: RedisTarget; readonly signal: AbortSignal },
  act: (session: RedisSession) => Promise<Result>,
): Promise<Result> => {
  signal.throwIfAborted();
  const { createClient } = await loadClient();
  const client = createClient({
    RESP: 2,
    socket: await socketOf(target),
    // Asks and tells nothing by itself: a user with few rights would be refused.
    disableClientInfo: true,
    maintNotifications: "disabled",
    disableOfflineQueue: true,
    ...(target.user === null ? {} : { username: target.user }),
    ...(target.password === null ? {} : { password: target.password.reveal() }),
  });
  // Every command that is waiting is rejected with it.
  client.on("error", () => undefined);
  const cut = (): void => {
    if (client.isOpen) client.destroy();
  };
  signal.addEventListener("abort", cut, { once: true });
  const attempt = async <Value>(what: string, work: () => Promise<Value>): Promise<Value> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw await translate(target, error, what);
    }
  };
  try {
    await attempt("the connection", () => client.connect());
    return await act({
      ask: (...words) => attempt(words[0] ?? "", () => client.sendCommand<Reply>([...words])),
    });
  } finally {
    signal.removeEventListener("abort", cut);
    cut();
  }
};
