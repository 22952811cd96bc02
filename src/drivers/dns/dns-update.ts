/**
 * Updates by RFC 2136, sent by nsupdate over TCP. Each names what the record must hold now (RFC 2136, 2.4.2), so that a change made
 * by somebody else is never overwritten. The key goes by standard input: a command line is seen by every user.
 */
import type { TrafficContext } from "../../core/ports/traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type Family, joinAddresses } from "./dns-address.ts";
import { splitServer } from "./dns-answers.ts";
import { type DnsOptions, ttlSecondsOf } from "./dns-options.ts";
import { readTsigKey } from "./tsig-key.ts";

export type Change = {
  readonly family: Family;
  /** What the record must hold when the update is done. */
  readonly from: readonly string[];
  /** Null asks only whether an update would be taken. */
  readonly to: readonly string[] | null;
};

const updateTimeoutSeconds = 5;

const absolute = (name: string): string => (name.endsWith(".") ? name : `${name}.`);

const keyLines = async (context: TrafficContext, { key }: DnsOptions): Promise<readonly string[]> => {
  if (key === undefined) return [];
  const { algorithm, name, secret } = readTsigKey((await context.bind(key)).value);
  return [`key ${algorithm}:${name} ${secret}`];
};

const linesOf = (options: DnsOptions, { family, from, to }: Change): readonly string[] => {
  const { host, port } = splitServer(options.server);
  const name = absolute(options.dns);
  const required =
    from.length === 0
      ? [`prereq nxrrset ${name} IN ${family}`]
      : from.map((address) => `prereq yxrrset ${name} IN ${family} ${address}`);
  const changes =
    to === null
      ? []
      : [
          `update delete ${name} IN ${family}`,
          ...to.map((address) => `update add ${name} ${ttlSecondsOf(options)} IN ${family} ${address}`),
        ];
  return [
    `server ${host} ${port}`,
    ...(options.zone === undefined ? [] : [`zone ${absolute(options.zone)}`]),
    ...required,
    ...changes,
    "send",
  ];
};

/** What the server's answer means to a person: codes of RFC 2136, 2.2 and RFC 8945, 5.2. */
const refusal = (options: DnsOptions, change: Change, error: RefloatError): RefloatError => {
  const { dns, server } = options;
  const said = error.message;
  const cause = { cause: error };
  if (/NXRRSET|YXRRSET|NXDOMAIN|YXDOMAIN/.test(said)) {
    const expected = change.from.length === 0 ? "no address" : joinAddresses(change.from);
    return new RefloatError("cutover.conflict", `${dns} does not point to ${expected} any more: somebody changed it`, {
      ...cause,
      hint: "see who changed the record; nothing was written over it",
    });
  }
  if (/BADKEY|BADSIG|BADTIME|NOTAUTH|tsig/i.test(said)) {
    return new RefloatError("target.failed", `${server} does not take our key for ${dns}: ${said}`, {
      ...cause,
      hint: /BADTIME/.test(said)
        ? "the clocks of both machines differ by more than five minutes"
        : "key: must be a key that the server knows, with its secret, and the server must serve the zone",
    });
  }
  if (/REFUSED/.test(said)) {
    return new RefloatError("target.failed", `${server} does not let us change ${dns}: REFUSED`, {
      ...cause,
      hint:
        options.key === undefined
          ? "declare key:, and allow that key to update the zone (allow-update or update-policy)"
          : "allow the key to update the zone (allow-update or update-policy)",
    });
  }
  if (error.code === "program.missing") {
    return new RefloatError("program.missing", "the program nsupdate is not installed or not on the path", {
      ...cause,
      hint: "it is in the Debian package bind9-dnsutils",
      nextCommand: "apt-get install bind9-dnsutils",
    });
  }
  return new RefloatError("target.failed", `${server} did not change ${dns}: ${said}`, cause);
};

/**
 * Sends one update: whole or not at all.
 * @throws RefloatError cutover.conflict when the record holds something else; target.failed when the server does not let us
 */
export const sendUpdate = async (context: TrafficContext, options: DnsOptions, change: Change): Promise<void> => {
  const input = [...(await keyLines(context, options)), ...linesOf(options, change), ""].join("\n");
  try {
    await runProgram("nsupdate", ["-v", "-t", String(updateTimeoutSeconds)], {
      signal: context.signal,
      marker: context.marker,
      input,
      // nsupdate asks two times more when it must find the zone.
      timeoutMs: 3 * updateTimeoutSeconds * 1000,
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw error instanceof RefloatError ? refusal(options, change, error) : error;
  }
};
