/** Which server, database and user a component's url means, and what an application is given to reach it. Does not connect. */
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import type { BoundOutput, Outputs } from "../../core/ports/driver.ts";
import type { Secret } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { hideText } from "../../platform/secret.ts";
import type { MariadbContext } from "./mariadb-options.ts";

type TlsMode = "disable" | "require" | "verify-full";

export type MariadbTarget = {
  /** Null where the server is reached by its socket. */
  readonly host: string | null;
  readonly port: number;
  readonly socket: string | null;
  readonly user: string;
  /** Empty where a whole server is meant. */
  readonly database: string;
  readonly password: Secret | null;
  readonly tls: TlsMode;
  readonly tlsRootCertificate: string | null;
};

const tlsModes: readonly TlsMode[] = ["disable", "require", "verify-full"];
const defaultPort = 3306;
const sockets = ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

const urlPattern =
  /^(?:mariadb|mysql):\/\/(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?:\[(?<six>[^\]]+)\]|(?<host>[^:/?#]*))(?::(?<port>\d+))?(?:\/(?<database>[^/?#]*))?(?:\?(?<query>[^#]*))?$/;

const invalid = (message: string, hint?: string): RefloatError =>
  new RefloatError("config.invalid", message, hint === undefined ? {} : { hint });

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new RefloatError("config.invalid", `the url has a broken % escape in "${text}"`, { cause: error });
  }
};

type Parameters = {
  readonly socket: string | null;
  readonly tls: TlsMode;
  readonly tlsRootCertificate: string | null;
};

const readParameters = (query: string): Parameters => {
  let known: Parameters = { socket: null, tls: "disable", tlsRootCertificate: null };
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === "socket") known = { ...known, socket: value };
    else if (name === "sslrootcert") known = { ...known, tlsRootCertificate: value };
    else if (name === "sslmode") {
      const tls = tlsModes.find((candidate) => candidate === value);
      if (tls === undefined) throw invalid(`sslmode=${value} is not supported`, `use one of ${tlsModes.join(", ")}`);
      known = { ...known, tls };
    } else
      throw invalid(`the url parameter ${name} is not supported`, "the parameters are socket, sslmode, sslrootcert");
  }
  return known;
};

/** What a url has to name: a database, or a server and maybe a database. */
export type UrlNames = "database" | "server";

/** @throws RefloatError config.invalid; no message holds the url, since it may carry a password */
export const parseMariadbUrl = (url: string, names: UrlNames = "database"): MariadbTarget => {
  const groups = urlPattern.exec(url)?.groups;
  if (groups === undefined) {
    throw invalid("the url is not one of MariaDB", "write mariadb://user@host:port/database or mariadb:///database");
  }
  const { user = "", password, six, port } = groups;
  const { socket, ...tls } = readParameters(groups["query"] ?? "");
  const host = decode(six ?? groups["host"] ?? "");
  if (host.includes(",")) throw invalid("a url with several hosts is not supported", "name the primary alone");
  const number = port === undefined ? defaultPort : Number(port);
  if (number < 1 || number > 65_535) throw invalid(`"${port}" is not a port`);
  const database = decode(groups["database"] ?? "");
  if (database === "" && names === "database")
    throw invalid("the url names no database", "write it after the host: mariadb://host/shop");
  const local = socket ?? (host === "" ? (sockets.find((path) => existsSync(path)) ?? null) : null);
  return {
    host: local === null ? (host === "" ? "127.0.0.1" : host) : null,
    port: number,
    socket: local,
    user: user === "" ? userInfo().username : decode(user),
    database,
    password: password === undefined ? null : hideText(decode(password)),
    ...tls,
  };
};

/** @throws RefloatError config.invalid, secret.unavailable */
export const resolveTarget = async (
  context: Pick<MariadbContext, "options" | "bind" | "component">,
  names: UrlNames = "database",
): Promise<MariadbTarget> => {
  const url = await context.bind(context.options.url);
  const target = parseMariadbUrl(url.value, names);
  if (target.password !== null && !url.secret) {
    throw invalid(
      `the url of ${context.component} has a password in it`,
      "take it out and add `password: ${file:/etc/refloat/db-password}`",
    );
  }
  if (context.options.password === undefined) return target;
  return { ...target, password: hideText((await context.bind(context.options.password)).value) };
};

/** For people: `127.0.0.1:3306`, `/run/mysqld/mysqld.sock`. */
export const describeAddress = ({ host, port, socket }: Pick<MariadbTarget, "host" | "port" | "socket">): string =>
  socket ?? (host?.includes(":") === true ? `[${host}]:${port}` : `${host ?? ""}:${port}`);

/** Is the server on this machine? */
export const isLocal = ({ host }: Pick<MariadbTarget, "host">): boolean =>
  host === null || /^(?:localhost$|127\.|::1$)/.test(host);

/** The url that an application would use. */
const formatUrl = (target: MariadbTarget): string => {
  const secret = target.password === null ? "" : `:${encodeURIComponent(target.password.reveal())}`;
  const parameters = new URLSearchParams();
  if (target.socket !== null) parameters.set("socket", target.socket);
  if (target.tls !== "disable") parameters.set("sslmode", target.tls);
  if (target.tlsRootCertificate !== null) parameters.set("sslrootcert", target.tlsRootCertificate);
  const query = parameters.size === 0 ? "" : `?${parameters.toString()}`;
  const place = target.socket === null ? describeAddress(target) : "localhost";
  return `mariadb://${encodeURIComponent(target.user)}${secret}@${place}/${encodeURIComponent(target.database)}${query}`;
};

const plain = (value: string): BoundOutput => ({ value, secret: false });

export const targetOutputs = (target: MariadbTarget): Outputs => ({
  url: { value: formatUrl(target), secret: target.password !== null },
  address: plain(describeAddress(target)),
  host: plain(target.host ?? "localhost"),
  port: plain(String(target.port)),
  database: plain(target.database),
  user: plain(target.user),
});

export const stableOutputs = async (context: MariadbContext): Promise<Outputs> =>
  targetOutputs(await resolveTarget(context));
