/**
 * Which server, database and user a component's url means, said once so that our own connections and the client programs go to
 * the same place whatever the environment holds. Not responsible for connecting.
 */
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import type { BoundOutput, DriverContext, Outputs } from "../../core/ports/driver.ts";
import type { Secret } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { hideText } from "../secret.ts";
import type { ConnectionKeys } from "./connection-keys.ts";

export type TlsMode = "disable" | "require" | "verify-full";

export type ConnectionTarget = {
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: Secret | null;
  readonly tls: TlsMode;
  /** File with the certificate authority for `verify-full`; the system's own when null. */
  readonly tlsRootCertificate: string | null;
};

const urlPattern =
  /^postgres(?:ql)?:\/\/(?:(?<user>[^@/?#]*)@)?(?<host>[^/?#]*)(?:\/(?<database>[^?#]*))?(?:\?(?<query>[^#]*))?$/;

const tlsModes: readonly TlsMode[] = ["disable", "require", "verify-full"];

const invalid = (message: string, hint?: string): RefloatError =>
  new RefloatError("config.invalid", message, hint === undefined ? {} : { hint });

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new RefloatError("config.invalid", `the url has a broken % escape in "${text}"`, { cause: error });
  }
};

const socketFolders = ["/var/run/postgresql", "/tmp"];

const defaultHost = (port: number): string =>
  socketFolders.find((folder) => existsSync(`${folder}/.s.PGSQL.${port}`)) ?? "localhost";

const readParameters = (query: string): { host?: string; port?: string; tls: TlsMode; rootCertificate?: string } => {
  const known: { host?: string; port?: string; tls: TlsMode; rootCertificate?: string } = { tls: "disable" };
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === "host") known.host = value;
    else if (name === "port") known.port = value;
    else if (name === "sslrootcert") known.rootCertificate = value;
    else if (name === "sslmode") {
      const mode = tlsModes.find((candidate) => candidate === value);
      if (mode === undefined) throw invalid(`sslmode=${value} is not supported`, `use one of ${tlsModes.join(", ")}`);
      known.tls = mode;
    } else {
      throw invalid(
        `the url parameter ${name} is not supported`,
        "the parameters are host, port, sslmode, sslrootcert",
      );
    }
  }
  return known;
};

const readPort = (text: string | undefined): number => {
  if (text === undefined || text === "") return 5432;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(`"${text}" is not a port`);
  return port;
};

/** Splits `host`, `host:port`, `[::1]:port`. */
const readHost = (text: string): { readonly host: string; readonly port: string | undefined } => {
  if (text.includes(",")) throw invalid("a url with several hosts is not supported", "name the primary alone");
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<plain>[^:]*))(?::(?<port>\d+))?$/.exec(text);
  if (match?.groups === undefined) throw invalid(`"${text}" is not a host with a port`);
  return { host: decode(match.groups["six"] ?? match.groups["plain"] ?? ""), port: match.groups["port"] };
};

/** @throws RefloatError config.invalid; no message holds the url, since it may carry a password */
export const parsePostgresUrl = (url: string): ConnectionTarget => {
  const groups = urlPattern.exec(url)?.groups;
  if (groups === undefined) {
    throw invalid(
      "the url is not one of PostgreSQL",
      "write postgres://user@host:port/database or postgres:///database",
    );
  }
  const [user = "", password] = (groups["user"] ?? "").split(":", 2);
  const parameters = readParameters(groups["query"] ?? "");
  const place = readHost(groups["host"] ?? "");
  const port = readPort(place.port ?? parameters.port);
  const database = decode(groups["database"] ?? "");
  if (database === "") throw invalid("the url names no database", "write it after the host: postgres://host/shop");
  return {
    host: parameters.host ?? (place.host === "" ? defaultHost(port) : place.host),
    port,
    user: user === "" ? userInfo().username : decode(user),
    database,
    password: password === undefined ? null : hideText(decode(password)),
    tls: parameters.tls,
    tlsRootCertificate: parameters.rootCertificate ?? null,
  };
};

/** @throws RefloatError config.invalid, secret.unavailable */
export const resolveTarget = async (
  context: Pick<DriverContext<ConnectionKeys>, "options" | "bind" | "component">,
): Promise<ConnectionTarget> => {
  const url = await context.bind(context.options.url);
  const target = parsePostgresUrl(url.value);
  if (target.password !== null && !url.secret) {
    throw invalid(
      `the url of ${context.component} has a password in it`,
      "take it out and add `password: ${file:/etc/refloat/db-password}`",
    );
  }
  if (context.options.password === undefined) return target;
  return { ...target, password: hideText((await context.bind(context.options.password)).value) };
};

/** For people: `127.0.0.1:5432`, `/var/run/postgresql:5432`. */
export const describeAddress = (target: Pick<ConnectionTarget, "host" | "port">): string =>
  target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;

/** Is the server on this machine? */
export const isLocal = ({ host }: Pick<ConnectionTarget, "host">): boolean =>
  /^(?:\/|localhost$|127\.|::1$)/.test(host);

/** The url that an application would use: a socket folder goes into `?host=`, as libpq and its relatives read it. */
const formatUrl = (target: ConnectionTarget): string => {
  const secret = target.password === null ? "" : `:${encodeURIComponent(target.password.reveal())}`;
  const user = `${encodeURIComponent(target.user)}${secret}`;
  const database = encodeURIComponent(target.database);
  const parameters = new URLSearchParams();
  const socket = target.host.startsWith("/");
  if (socket) {
    parameters.set("host", target.host);
    if (target.port !== 5432) parameters.set("port", String(target.port));
  }
  if (target.tls !== "disable") parameters.set("sslmode", target.tls);
  if (target.tlsRootCertificate !== null) parameters.set("sslrootcert", target.tlsRootCertificate);
  const query = parameters.size === 0 ? "" : `?${parameters.toString()}`;
  // A url with a user and an empty host is refused by strict parsers; `localhost` is overridden by `?host=`.
  return `postgres://${user}@${socket ? "localhost" : describeAddress(target)}/${database}${query}`;
};

const plain = (value: string): BoundOutput => ({ value, secret: false });

export const targetOutputs = (target: ConnectionTarget): Outputs => ({
  url: { value: formatUrl(target), secret: target.password !== null },
  address: plain(describeAddress(target)),
  host: plain(target.host),
  port: plain(String(target.port)),
  database: plain(target.database),
  user: plain(target.user),
});
