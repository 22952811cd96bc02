/** Which server and user a component's url means, and what an application is given to reach it. Does not connect. */
import type { BoundOutput, Outputs } from "../../core/ports/driver.ts";
import type { Secret } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { hideText } from "../../platform/secret.ts";
import { type EtcdContext, dataPathOf, pathOption } from "./etcd-options.ts";

export type EtcdTarget = {
  readonly host: string;
  readonly port: number;
  /** Null where authentication is off, or done by a certificate alone. */
  readonly user: string | null;
  readonly password: Secret | null;
  readonly tls: {
    readonly authority: string | null;
    readonly certificate: string | null;
    readonly key: string | null;
  } | null;
};

const defaultPort = 2379;

/** @throws RefloatError config.invalid; no message holds the url, since it may carry a password */
export const parseEtcdUrl = (url: string): EtcdTarget => {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (error) {
    throw new RefloatError("config.invalid", "the url is not one of etcd", {
      cause: error,
      hint: "write http://127.0.0.1:2379, or https://",
    });
  }
  const { protocol, hostname, port, username, password, pathname } = parsed;
  if (!/^https?:$/.test(protocol) || hostname === "" || !/^\/?$/.test(pathname))
    throw new RefloatError("config.invalid", "the url is not one of etcd", {
      hint: "write http://127.0.0.1:2379, or https://, of one member",
    });
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    // The url's own default ports are not those of etcd.
    port: port === "" ? defaultPort : Number(port),
    user: username === "" ? null : decodeURIComponent(username),
    password: password === "" ? null : hideText(decodeURIComponent(password)),
    tls: protocol === "https:" ? { authority: null, certificate: null, key: null } : null,
  };
};

/** @throws RefloatError config.invalid, secret.unavailable */
export const resolveTarget = async (
  context: Pick<EtcdContext, "options" | "bind" | "component">,
): Promise<EtcdTarget> => {
  const url = await context.bind(context.options.url);
  const target = parseEtcdUrl(url.value);
  if (target.password !== null && !url.secret)
    throw new RefloatError("config.invalid", `the url of ${context.component} has a password in it`, {
      hint: "take it out and add `password: ${file:/etc/refloat/etcd-password}`",
    });
  const tls =
    target.tls === null
      ? null
      : {
          authority: await pathOption(context, "authority"),
          certificate: await pathOption(context, "certificate"),
          key: await pathOption(context, "key"),
        };
  if (context.options.password === undefined) return { ...target, tls };
  return { ...target, tls, password: hideText((await context.bind(context.options.password)).value) };
};

/** For people: `127.0.0.1:2379`. */
export const describeAddress = ({ host, port }: Pick<EtcdTarget, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const plain = (value: string): BoundOutput => ({ value, secret: false });

/** The url has no user in it: etcd's clients take that beside it. */
export const targetOutputs = (target: EtcdTarget, data: string): Outputs => ({
  url: plain(`${target.tls === null ? "http" : "https"}://${describeAddress(target)}`),
  address: plain(describeAddress(target)),
  host: plain(target.host),
  port: plain(String(target.port)),
  data: plain(data),
});

export const stableOutputs = async (context: EtcdContext): Promise<Outputs> =>
  targetOutputs(await resolveTarget(context), await dataPathOf(context));
