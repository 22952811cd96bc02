/** Which server, user and database a component's url means, and what an application is given to reach it. Does not connect. */
import type { BoundOutput, Outputs } from "../../core/ports/driver.ts";
import type { Secret } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { hideText } from "../../platform/secret.ts";
import { type RedisContext, dataPathOf } from "./redis-options.ts";

export type RedisTarget = {
  readonly host: string;
  readonly port: number;
  /** Null: the user `default`, as servers without an ACL have it. */
  readonly user: string | null;
  readonly password: Secret | null;
  /** The one that checks ask. */
  readonly database: number;
  readonly tls: boolean;
  readonly certificateAuthority: string | null;
};

const defaultPort = 6379;

const urlPattern =
  /^(?<scheme>rediss?):\/\/(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?:\[(?<six>[^\]]+)\]|(?<host>[^:/?#]*))(?::(?<port>\d+))?(?:\/(?<database>\d*))?(?:\?(?<query>[^#]*))?$/;

const invalid = (message: string, hint: string): RefloatError => new RefloatError("config.invalid", message, { hint });

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new RefloatError("config.invalid", `the url has a broken % escape in "${text}"`, { cause: error });
  }
};

const authorityOf = (query: string): string | null => {
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (name !== "cacert") throw invalid(`the url parameter ${name} is not supported`, "the one parameter is cacert");
  return parameters.get("cacert");
};

/** @throws RefloatError config.invalid; no message holds the url, since it may carry a password */
export const parseRedisUrl = (url: string): RedisTarget => {
  const groups = urlPattern.exec(url)?.groups;
  if (groups === undefined)
    throw invalid("the url is not one of Redis", "write redis://user@host:port, or rediss:// for TLS");
  const { user = "", password = "", port, six, host = "", database = "" } = groups;
  const number = port === undefined ? defaultPort : Number(port);
  if (number < 1 || number > 65_535) throw invalid(`"${port}" is not a port`, "a port is between 1 and 65535");
  return {
    host: decode(six ?? (host === "" ? "127.0.0.1" : host)),
    port: number,
    user: user === "" ? null : decode(user),
    password: password === "" ? null : hideText(decode(password)),
    database: Number(database),
    tls: groups["scheme"] === "rediss",
    certificateAuthority: authorityOf(groups["query"] ?? ""),
  };
};

/** @throws RefloatError config.invalid, secret.unavailable */
export const resolveTarget = async (
  context: Pick<RedisContext, "options" | "bind" | "component">,
): Promise<RedisTarget> => {
  const url = await context.bind(context.options.url);
  const target = parseRedisUrl(url.value);
  if (target.password !== null && !url.secret)
    throw invalid(
      `the url of ${context.component} has a password in it`,
      "take it out and add `password: ${file:/etc/refloat/redis-password}`",
    );
  if (context.options.password === undefined) return target;
  return { ...target, password: hideText((await context.bind(context.options.password)).value) };
};

/** For people: `127.0.0.1:6379`. */
export const describeAddress = ({ host, port }: Pick<RedisTarget, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

/** The url that an application would use. */
const formatUrl = (target: RedisTarget): string => {
  const secret = target.password === null ? "" : `:${encodeURIComponent(target.password.reveal())}`;
  const who = target.user === null ? secret : `${encodeURIComponent(target.user)}${secret}`;
  const authority =
    target.certificateAuthority === null ? "" : `?cacert=${encodeURIComponent(target.certificateAuthority)}`;
  const database = target.database === 0 ? "" : `/${target.database}`;
  return `${target.tls ? "rediss" : "redis"}://${who === "" ? "" : `${who}@`}${describeAddress(target)}${database}${authority}`;
};

const plain = (value: string): BoundOutput => ({ value, secret: false });

export const targetOutputs = (target: RedisTarget, data: string): Outputs => ({
  url: { value: formatUrl(target), secret: target.password !== null },
  address: plain(describeAddress(target)),
  host: plain(target.host),
  port: plain(String(target.port)),
  user: plain(target.user ?? "default"),
  data: plain(data),
});

export const stableOutputs = async (context: RedisContext): Promise<Outputs> =>
  targetOutputs(await resolveTarget(context), await dataPathOf(context));
