/**
 * Directs users by the address of a name, on the zone's primary server. Each change is made only to what was seen before it. DNS
 * stops nobody: who has looked the name up comes by the old address until the record's time to live is over. So traffic is held
 * by another address (`held:`) and that time, or not at all, and then the fence of the old side alone keeps its users out.
 */
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { TrafficContext, TrafficDriver } from "../../core/ports/traffic.ts";
import { refuseMovedTraffic } from "../../core/run/refuse-moved-traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Family, familyOf, joinAddresses, readAddresses } from "./dns-address.ts";
import { type AddressRecords, askAddresses, askAlias, askResolver, splitServer } from "./dns-answers.ts";
import { type DnsOptions, dnsOptionsSchema, ttlSecondsOf } from "./dns-options.ts";
import { sendUpdate } from "./dns-update.ts";

type Finding = PreflightReport["findings"][number];

const lookAgainMs = 250;
/** A resolver may have asked just before the change was everywhere. */
const graceMs = 2_000;

const addressOf = (to: string): string => joinAddresses(readAddresses(to));

/** The family that this entry is about: that of the page for held users or of a literal address, else of what the name has. */
const declaredFamily = ({ held, to }: DnsOptions): Family | null => {
  if (held !== undefined) return familyOf(held);
  if (to === undefined || to.includes("${")) return null;
  return familyOf(readAddresses(to)[0] ?? "");
};

const readRecords = async (
  options: DnsOptions,
  wanted: Family | null,
): Promise<AddressRecords & { readonly family: Family }> => {
  const family = wanted ?? declaredFamily(options) ?? "A";
  const records = await askAddresses(options.server, options.dns, family);
  if (records.addresses.length > 0 || wanted !== null || declaredFamily(options) !== null)
    return { ...records, family };
  return { ...(await askAddresses(options.server, options.dns, "AAAA")), family: "AAAA" };
};

/** Changes the record, unless it holds this already. An outcome that is not known is looked at, not repeated. */
const pointTo = async (
  context: TrafficContext,
  options: DnsOptions,
  { addresses, family }: AddressRecords & { readonly family: Family },
  target: string,
): Promise<void> => {
  if (joinAddresses(addresses) === target) return;
  try {
    await sendUpdate(context, options, { family, from: addresses, to: readAddresses(target) });
  } catch (error) {
    context.signal.throwIfAborted();
    const now = await askAddresses(options.server, options.dns, family).catch(() => null);
    if (now === null || joinAddresses(now.addresses) !== target) throw error;
  }
};

/** Waits until all declared resolvers tell the address. @returns those that still tell another one when the time is over */
const awaitResolvers = async (
  context: TrafficContext,
  options: DnsOptions,
  target: string,
  timeoutMs: number,
): Promise<readonly string[]> => {
  const deadline = context.clock.monotonicMs() + timeoutMs;
  const family = familyOf(readAddresses(target)[0] ?? "");
  const ask = async (resolver: string) => ({ resolver, said: await askResolver(resolver, options.dns, family) });
  for (;;) {
    const answers = await Promise.all((options.resolvers ?? []).map(ask));
    const late = answers.filter(({ said }) => said !== target);
    if (late.length === 0) return [];
    if (context.clock.monotonicMs() >= deadline) return late.map(({ resolver, said }) => `${resolver} (${said})`);
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/** For how long resolvers may remember what the record held: never longer than declared, so that a cutover has a bound. */
const memoryMs = (options: DnsOptions, { ttlSeconds }: AddressRecords): number =>
  Math.min(ttlSeconds ?? 0, ttlSecondsOf(options)) * 1000 + graceMs;

const warnOfLongMemory = (context: TrafficContext, options: DnsOptions, { ttlSeconds }: AddressRecords): void => {
  if (ttlSeconds === null || ttlSeconds <= ttlSecondsOf(options)) return;
  context.log.warn(
    `resolvers may tell the old address of ${options.dns} for ${ttlSeconds} s, and this run waits for ${ttlSecondsOf(options)} s of them`,
  );
};

const hold = async (context: TrafficContext, options: DnsOptions): Promise<void> => {
  const { held } = options;
  if (held === undefined) return;
  const records = await readRecords(options, null);
  warnOfLongMemory(context, options, records);
  await pointTo(context, options, records, held);
  if (options.resolvers !== undefined) {
    const late = await awaitResolvers(context, options, held, memoryMs(options, records));
    if (late.length > 0) {
      throw new RefloatError(
        "fence.failed",
        `users are still sent to the old side of ${options.dns} by ${late.join(", ")}`,
        {
          hint: "the resolver keeps answers longer than their time to live, or asks another server than this one",
        },
      );
    }
    return;
  }
  // Also when it was held already: whoever wrote it may have died before the time was over.
  await context.clock.sleep(memoryMs(options, records), context.signal);
};

const admit: TrafficDriver<DnsOptions>["admit"] = async (context, options, to, from = null) => {
  const target = addressOf(to);
  const family = familyOf(readAddresses(to)[0] ?? "");
  const records = await readRecords(options, family);
  const now = joinAddresses(records.addresses);
  if (options.held !== undefined && now !== options.held && now !== target) {
    throw new RefloatError(
      "cutover.conflict",
      `${options.dns} was sent to ${options.held} for the time of the cutover, and points to ${now === "" ? "nothing" : now}: somebody changed it`,
      { hint: "see who changed the record; nothing was written over it" },
    );
  }
  if (options.held === undefined) refuseMovedTraffic(options.dns, now === "" ? null : now, target, from);
  await pointTo(context, options, records, target);
  const late = await awaitResolvers(context, options, target, memoryMs(options, records));
  // The name itself is as it was meant to be; failing here would take it away from those who come by it already.
  if (late.length > 0)
    context.log.warn(`users do not come by the new address of ${options.dns} yet, by ${late.join(", ")}`);
};

const lookAtRecord = (options: DnsOptions, records: AddressRecords & { readonly family: Family }): Finding => {
  const { dns } = options;
  if (records.addresses.length === 0)
    return { ok: true, subject: dns, found: "has no address; a cutover gives it one" };
  const found = `${records.family} ${joinAddresses(records.addresses)}, remembered for ${records.ttlSeconds ?? 0} s`;
  if ((records.ttlSeconds ?? 0) <= ttlSecondsOf(options)) return { ok: true, subject: dns, found };
  return {
    ok: true,
    subject: dns,
    found: `${found}: longer than ttl: ${options.ttl}, so that users may come by the old address after a cutover`,
    hint: `lower its time to live to ${ttlSecondsOf(options)} s now: what resolvers remember already cannot be shortened later`,
  };
};

const lookAtOtherFamily = async (options: DnsOptions, family: Family): Promise<readonly Finding[]> => {
  const other = family === "A" ? "AAAA" : "A";
  const { addresses } = await askAddresses(options.server, options.dns, other);
  if (addresses.length === 0) return [];
  return [
    {
      ok: true,
      subject: options.dns,
      found: `users of ${other === "A" ? "IPv4" : "IPv6"} keep coming to ${joinAddresses(addresses)} after a cutover`,
      hint: `write a second entry whose to: is an address of that family, or remove the ${other} record`,
    },
  ];
};

const lookAtHolding = ({ dns, held }: DnsOptions): Finding =>
  held === undefined
    ? {
        ok: true,
        subject: dns,
        found: "holds nobody during a cutover: who knows the old address comes by it until its time to live is over",
        hint: "declare held: the address of a page for them; the old side itself is stopped in any case where a component runs it",
      }
    : { ok: true, subject: dns, found: `users are sent to ${held} during a cutover` };

const lookAtResolvers = async (options: DnsOptions, records: AddressRecords & { readonly family: Family }) => {
  const findings: Finding[] = [];
  const expected = joinAddresses(records.addresses);
  for (const resolver of options.resolvers ?? []) {
    const said = await askResolver(resolver, options.dns, records.family);
    findings.push(
      said === expected
        ? { ok: true, subject: resolver, found: `tells ${said}, as the primary server does` }
        : {
            ok: false,
            subject: resolver,
            found: `tells ${said}, and the primary server ${expected === "" ? "no address" : expected}`,
            hint: "a cutover waits for this resolver: declare those that your users ask",
          },
    );
  }
  return findings;
};

/** What a person types where Refloat cannot: ADDRESS and KEYFILE are theirs to fill in. */
const commandByHand = (options: DnsOptions, family: Family): string => {
  const { host, port } = splitServer(options.server);
  const lines = [
    `server ${host} ${port}`,
    `update delete ${options.dns} ${family}`,
    `update add ${options.dns} ${ttlSecondsOf(options)} ${family} ADDRESS`,
    "send",
  ];
  return `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")} | nsupdate -k KEYFILE`;
};

const preflight = async (context: TrafficContext, options: DnsOptions): Promise<PreflightReport> => {
  const { dns, server } = options;
  const alias = await askAlias(server, dns);
  if (alias !== null) {
    const finding = { ok: false, subject: dns, found: `is an alias of ${alias}`, hint: `write dns: ${alias}` };
    return { findings: [finding], commands: [], recoveryCommands: [], grants: [] };
  }
  const records = await readRecords(options, null);
  await sendUpdate(context, options, { family: records.family, from: records.addresses, to: null });
  return {
    findings: [
      { ok: true, subject: server, found: "takes our updates" },
      lookAtRecord(options, records),
      ...(await lookAtOtherFamily(options, records.family)),
      lookAtHolding(options),
      ...(await lookAtResolvers(options, records)),
    ],
    commands: [],
    recoveryCommands: [commandByHand(options, records.family)],
    grants: [`grant KEY name ${dns}. ${records.family};   in the zone's update-policy`],
  };
};

export const dnsTraffic: TrafficDriver<DnsOptions> = {
  kind: "dns",
  summary: "Users come by a name in DNS, whose address is replaced by RFC 2136.",
  options: dnsOptionsSchema,
  preflight,
  addressOf,
  observe: async (_context, options) => {
    const { addresses, ttlSeconds, family } = await readRecords(options, null);
    const address = joinAddresses(addresses);
    return {
      admitted: address !== "" && address !== options.held,
      address: address === "" ? null : address,
      raw: { family, ttlSeconds },
    };
  },
  hold,
  admit,
};
