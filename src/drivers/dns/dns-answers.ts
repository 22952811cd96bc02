/** What servers of DNS answer: a zone's primary about a name, and resolvers about what users get. */
import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Family, joinAddresses } from "./dns-address.ts";

export type AddressRecords = {
  /** Sorted; empty when the name has none of this family. */
  readonly addresses: readonly string[];
  /** Seconds that a resolver may remember them, or null without records. */
  readonly ttlSeconds: number | null;
};

const queryTimeoutMs = 2_000;
const queryTries = 2;
const standardPort = 53;

/** `ns1.example.com:5353`, `[::1]:53`, `127.0.0.1`. */
export const splitServer = (server: string): { readonly host: string; readonly port: number } => {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(server) ?? [];
  return { host: bracketed ?? plain ?? server, port: port === undefined ? standardPort : Number(port) };
};

/** The resolver of Node wants an address, and is given one. */
const resolverOf = async (server: string): Promise<Resolver> => {
  const { host, port } = splitServer(server);
  const address = isIP(host) === 0 ? (await lookup(host)).address : host;
  const resolver = new Resolver({ timeout: queryTimeoutMs, tries: queryTries });
  resolver.setServers([isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`]);
  return resolver;
};

const codeOf = (error: unknown): string => String((error as { readonly code?: unknown }).code ?? error);
const saysNone = (error: unknown): boolean => ["ENODATA", "ENOTFOUND"].includes(codeOf(error));

const unreachable = (server: string, name: string, error: unknown): RefloatError =>
  new RefloatError("target.failed", `the DNS server ${server} does not answer about ${name}: ${codeOf(error)}`, {
    cause: error,
    hint: "it must be reachable from here, and serve the zone of the name",
  });

/** @throws RefloatError target.failed when the server does not answer, or does not serve the name */
export const askAddresses = async (server: string, name: string, family: Family): Promise<AddressRecords> => {
  try {
    const resolver = await resolverOf(server);
    const options = { ttl: true } as const;
    const records = family === "A" ? await resolver.resolve4(name, options) : await resolver.resolve6(name, options);
    const addresses = records.map(({ address }) => address).sort();
    return { addresses, ttlSeconds: Math.max(...records.map(({ ttl }) => ttl)) };
  } catch (error) {
    if (saysNone(error)) return { addresses: [], ttlSeconds: null };
    throw unreachable(server, name, error);
  }
};

/** The name that it is an alias of, or null. An alias has no address of its own that could be replaced. */
export const askAlias = async (server: string, name: string): Promise<string | null> => {
  try {
    const [alias] = await (await resolverOf(server)).resolveCname(name);
    return alias ?? null;
  } catch (error) {
    if (saysNone(error)) return null;
    throw unreachable(server, name, error);
  }
};

/** What a resolver tells its users: addresses as one text, or why it tells none. */
export const askResolver = async (resolver: string, name: string, family: Family): Promise<string> => {
  try {
    const { addresses } = await askAddresses(resolver, name, family);
    return addresses.length === 0 ? "no address" : joinAddresses(addresses);
  } catch (error) {
    return error instanceof RefloatError ? error.message : String(error);
  }
};
