/**
 * One network interface, of this machine or of another one that is reached by declared words, by `ip` (iproute2) and `arping` (iputils).
 * Changes and asks; decides nothing.
 */
import { z } from "zod";
import type { TrafficContext } from "../../core/ports/traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { type ShellLineResult, describeEnd, lastLines, runShellLine } from "../../platform/shell-line.ts";
import { type AddressOptions, type Place, ipOf, withPrefix } from "./address-options.ts";

const lineTimeoutMs = 20_000;

/** What `ip -j addr show dev NAME` tells, as far as it is asked here. */
const linksSchema = z
  .array(
    z.object({
      address: z.string().default(""),
      flags: z.array(z.string()).default([]),
      addr_info: z
        .array(
          z.object({
            family: z.string(),
            local: z.string(),
            prefixlen: z.int(),
            secondary: z.boolean().default(false),
          }),
        )
        .default([]),
    }),
  )
  .length(1);

export type Sight = {
  readonly holds: boolean;
  readonly isUp: boolean;
  /** Link-layer address, in lower case. */
  readonly mac: string;
  /** Addresses that the kernel would take away with this one, as they are secondary to it. */
  readonly alongside: readonly string[];
};

const run = async (context: TrafficContext, place: Place, words: string): Promise<ShellLineResult> => {
  const enter =
    place.enter === undefined ? "" : `${await bindCommand(context.bind, place.enter, "enter of a holder")} `;
  const { signal, marker } = context;
  return runShellLine(`${enter}${words}`, { signal, marker, timeoutMs: lineTimeoutMs });
};

const failed = (place: Place, words: string, result: ShellLineResult): RefloatError => {
  const said = lastLines(result.output, 5);
  const where = place.enter === undefined ? "here" : `by ${place.enter}`;
  return new RefloatError(
    "program.failed",
    `"${words}" failed ${where}: ${describeEnd(result) ?? "its answer cannot be read"}${said === "" ? "" : `: ${said}`}`,
    { hint: "it needs root there (CAP_NET_ADMIN, CAP_NET_RAW), iproute2 and iputils-arping" },
  );
};

/** @throws RefloatError program.failed */
const runWell = async (context: TrafficContext, place: Place, words: string): Promise<ShellLineResult> => {
  const result = await run(context, place, words);
  if (describeEnd(result) === null) return result;
  throw failed(place, words, result);
};

const networkOf = (address: string, prefix: number): number =>
  Math.floor(address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) / 2 ** (32 - prefix));

/** @throws RefloatError program.failed when it cannot be asked, or has no such interface */
export const lookAt = async (context: TrafficContext, options: AddressOptions, place: Place): Promise<Sight> => {
  const words = `ip -j addr show dev ${place.interface}`;
  const result = await runWell(context, place, words);
  let told: unknown;
  try {
    told = JSON.parse(result.stdout);
  } catch {
    throw failed(place, words, result);
  }
  const link = linksSchema.safeParse(told).data?.[0];
  if (link === undefined) throw failed(place, words, result);
  const own = link.addr_info.filter(({ family }) => family === "inet");
  const mine = own.find(({ local }) => local === ipOf(options));
  const isAlongside = ({ local, prefixlen, secondary }: (typeof own)[number]): boolean =>
    mine !== undefined &&
    !mine.secondary &&
    secondary &&
    prefixlen === mine.prefixlen &&
    networkOf(local, prefixlen) === networkOf(mine.local, prefixlen);
  return {
    holds: mine !== undefined,
    isUp: link.flags.includes("UP"),
    mac: link.address.toLowerCase(),
    alongside: own.filter(isAlongside).map(({ local }) => local),
  };
};

/** Who answers there for the address, by ARP: link-layer addresses in lower case. @throws RefloatError program.failed */
export const whoAnswers = async (
  context: TrafficContext,
  options: AddressOptions,
  place: Place,
): Promise<readonly string[]> => {
  // Duplicate detection of RFC 5227: asks from no address, so that nobody learns a wrong one. It ends with 1 for an answer.
  const words = `arping -D -c 2 -w 2 -I ${place.interface} ${ipOf(options)}`;
  const result = await run(context, place, words);
  const macs = [...result.stdout.matchAll(/reply from \S+ \[([0-9A-Fa-f:]+)\]/g)].map(([, mac = ""]) =>
    mac.toLowerCase(),
  );
  const isAnswer = result.exitCode === 0 || (result.exitCode === 1 && macs.length > 0);
  if (result.timedOut || !isAnswer || !result.stdout.includes("Sent ")) throw failed(place, words, result);
  return [...new Set(macs)];
};

export const take = async (context: TrafficContext, options: AddressOptions, place: Place): Promise<void> => {
  await runWell(context, place, `ip addr add ${withPrefix(options)} dev ${place.interface}`);
};

/** As it is held there, whatever the length of its prefix. */
export const release = async (context: TrafficContext, options: AddressOptions, place: Place): Promise<void> => {
  await runWell(context, place, `ip addr flush dev ${place.interface} to ${ipOf(options)}/32`);
};

/** Tells everybody on the segment: gratuitous ARP as a request and as a reply, since some hear only one of them. */
export const announce = async (context: TrafficContext, options: AddressOptions, place: Place): Promise<void> => {
  for (const kind of ["-U", "-A"])
    await runWell(context, place, `arping -q ${kind} -c 1 -w 2 -I ${place.interface} ${ipOf(options)}`);
};
