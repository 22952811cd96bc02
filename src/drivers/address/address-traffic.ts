/**
 * Directs users by an IPv4 address that one of several machines holds. It is taken from whoever has it, nobody may answer for it
 * then, and the next holder takes it and tells the segment. A machine that cannot be asked counts as one without the address only when nobody
 * answers for it; that it will not answer later is for `fence:` to prove. Not for addresses that a cloud routes: no ARP moves those.
 */
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { TrafficContext, TrafficDriver } from "../../core/ports/traffic.ts";
import { refuseMovedTraffic } from "../../core/run/refuse-moved-traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type AddressOptions, type Place, addressOptionsSchema, ipOf, withPrefix } from "./address-options.ts";
import { type Sight, announce, lookAt, release, take, whoAnswers } from "./network-place.ts";

type Holder = { readonly name: string; readonly place: Place } & (
  | { readonly sight: Sight }
  | { readonly sight: null; readonly why: string }
);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const askByHand = (options: AddressOptions): string =>
  `enter: of a holder must run a command there: try it by hand with "ip addr show to ${ipOf(options)}/32"`;

/** @throws RefloatError source.unreachable when none of them can be asked */
const askHolders = async (context: TrafficContext, options: AddressOptions): Promise<readonly Holder[]> => {
  const ask = async ([name, place]: [string, Place]): Promise<Holder> => {
    try {
      return { name, place, sight: await lookAt(context, options, place) };
    } catch (error) {
      context.signal.throwIfAborted();
      return { name, place, sight: null, why: messageOf(error) };
    }
  };
  const holders = await Promise.all(Object.entries(options.holders).map(ask));
  if (holders.some(({ sight }) => sight !== null)) return holders;
  throw new RefloatError("source.unreachable", `nobody can be asked who has ${ipOf(options)}: ${whyNot(holders)}`, {
    hint: askByHand(options),
  });
};

const whyNot = (holders: readonly Holder[]): string =>
  holders.flatMap((holder) => (holder.sight === null ? [`${holder.name}: ${holder.why}`] : [])).join("; ");
const silentOf = (holders: readonly Holder[]): readonly Holder[] => holders.filter(({ sight }) => sight === null);
const havingOf = (holders: readonly Holder[]): readonly Holder[] =>
  holders.filter(({ sight }) => sight?.holds === true);

/**
 * Who answers for the address, asked from the declared client and from each holder that does not have it: one that is cut off from the others hears
 * nobody, which proves nothing.
 * @returns null when nobody could ask
 */
const askSegment = async (
  context: TrafficContext,
  options: AddressOptions,
  holders: readonly Holder[],
): Promise<readonly string[] | null> => {
  const free = holders.flatMap(({ place, sight }) => (sight !== null && !sight.holds && sight.isUp ? [place] : []));
  const heard = await Promise.all(
    [...(options.client === undefined ? [] : [options.client]), ...free].map(async (place) => {
      try {
        return await whoAnswers(context, options, place);
      } catch (error) {
        context.signal.throwIfAborted();
        context.log.warn(`who answers for ${ipOf(options)} could not be asked`, { why: messageOf(error) });
        return null;
      }
    }),
  );
  const answers = heard.filter((one) => one !== null);
  return answers.length === 0 ? null : [...new Set(answers.flat())];
};

const observe: TrafficDriver<AddressOptions>["observe"] = async (context, options) => {
  const holders = await askHolders(context, options);
  const having = havingOf(holders);
  const silent = silentOf(holders);
  const raw = { silent: silent.map(({ name }) => name) };
  const [only] = having;
  if (having.length > 1) {
    throw new RefloatError(
      "cutover.refused",
      `${ipOf(options)} is on ${having.map(({ name }) => name).join(" and on ")} at once`,
      {
        hint: `take it from all but one: ip addr del ${withPrefix(options)} dev INTERFACE`,
      },
    );
  }
  if (only !== undefined) return { admitted: true, address: only.name, raw };
  if (silent.length === 0) return { admitted: false, address: null, raw };
  const answers = await askSegment(context, options, holders);
  if (answers === null)
    throw new RefloatError("source.unreachable", `who has ${ipOf(options)} is not known: ${whyNot(holders)}`, {
      hint: askByHand(options),
    });
  if (answers.length === 0) return { admitted: false, address: null, raw };
  return { admitted: true, address: silent.length === 1 ? (silent[0]?.name ?? null) : null, raw };
};

const takeFrom = async (
  context: TrafficContext,
  options: AddressOptions,
  { name, place, sight }: Holder,
): Promise<void> => {
  const alongside = sight?.alongside ?? [];
  if (alongside.length > 0) {
    throw new RefloatError(
      "cutover.refused",
      `${name} would lose ${alongside.join(", ")} with ${ipOf(options)}, to which they are secondary`,
      { hint: `give the floating address a prefix of its own there: ${ipOf(options)}/32` },
    );
  }
  await release(context, options, place);
};

/** @throws RefloatError fence.failed while anybody answers for the address */
const proveNobodyAnswers = async (context: TrafficContext, options: AddressOptions): Promise<void> => {
  const holders = await askHolders(context, options);
  const silent = silentOf(holders);
  const left = havingOf(holders);
  if (left.length > 0) {
    throw new RefloatError("fence.failed", `${left.map(({ name }) => name).join(", ")} has ${ipOf(options)} again`, {
      hint: "something else gives it the address, such as keepalived: stop that first",
    });
  }
  const answers = await askSegment(context, options, holders);
  if (answers === null && silent.length > 0)
    throw new RefloatError(
      "fence.failed",
      `whether anybody still has ${ipOf(options)} is not known: ${whyNot(holders)}`,
    );
  if (answers !== null && answers.length > 0) {
    throw new RefloatError(
      "fence.failed",
      `${answers.join(", ")} answers for ${ipOf(options)}${silent.length === 0 ? ", and is none of holders" : `, and not all can be asked: ${whyNot(holders)}`}`,
      {
        hint: "switch that machine off, or take the address from it by hand; declare fence: for one that may not answer",
      },
    );
  }
  if (silent.length > 0)
    context.log.warn(
      `${silent.map(({ name }) => name).join(", ")} cannot be asked for ${ipOf(options)}; nobody answers for it at this moment`,
      { why: whyNot(holders) },
    );
};

const hold = async (context: TrafficContext, options: AddressOptions): Promise<void> => {
  for (const holder of havingOf(await askHolders(context, options))) await takeFrom(context, options, holder);
  await proveNobodyAnswers(context, options);
};

/** @throws RefloatError config.invalid, source.unreachable */
const holderOf = (
  options: AddressOptions,
  holders: readonly Holder[],
  to: string,
): Holder & { readonly sight: Sight } => {
  const found = holders.find(({ name }) => name === to);
  if (found === undefined) {
    throw new RefloatError("config.invalid", `no holder of ${ipOf(options)} is called "${to}"`, {
      hint: `write to: one of ${Object.keys(options.holders).join(", ")}`,
    });
  }
  if (found.sight === null)
    throw new RefloatError("source.unreachable", `${to} cannot be asked: ${found.why}`, { hint: askByHand(options) });
  return found;
};

const admit: TrafficDriver<AddressOptions>["admit"] = async (context, options, to, from = null) => {
  const holders = await askHolders(context, options);
  const { place, sight } = holderOf(options, holders, to);
  if (!sight.isUp) {
    throw new RefloatError(
      "target.failed",
      `${place.interface} of ${to} is down, so nobody would reach ${ipOf(options)}`,
    );
  }
  for (const { name } of havingOf(holders)) refuseMovedTraffic(ipOf(options), name, to, from);
  if (!sight.holds) {
    await hold(context, options);
    await take(context, options, place);
  } else for (const other of havingOf(holders)) if (other.name !== to) await takeFrom(context, options, other);
  await announce(context, options, place);
  if (options.client === undefined) return;
  // A client that has died meanwhile must take the address from nobody.
  const answers = await askSegment(context, options, []);
  if (answers === null) return;
  if (answers.length === 1 && answers[0] === sight.mac) return;
  const isMixed = answers.some((mac) => mac !== sight.mac);
  if (isMixed) await release(context, options, place);
  throw new RefloatError(
    isMixed ? "cutover.refused" : "target.failed",
    isMixed
      ? `${answers.join(", ")} answers for ${ipOf(options)} besides ${to} (${sight.mac}): it was taken from ${to} again`
      : `nobody answers the client for ${ipOf(options)}, which ${to} has`,
    { hint: "all of holders and the client must be on one network segment, and nobody else may have the address" },
  );
};

type Finding = PreflightReport["findings"][number];

const lookAtHolder = async (context: TrafficContext, options: AddressOptions, holder: Holder): Promise<Finding> => {
  const { name: subject, place, sight } = holder;
  if (sight === null) return { ok: false, subject, found: holder.why };
  const found = `${place.interface} ${sight.isUp ? "is up" : "is down"}, ${sight.holds ? "has" : "does not have"} ${ipOf(options)}`;
  if (!sight.isUp) return { ok: false, subject, found };
  if (sight.alongside.length > 0) {
    const hint = `give the floating address a prefix of its own there: ${ipOf(options)}/32`;
    return { ok: false, subject, found: `${found}; would lose ${sight.alongside.join(", ")} with it`, hint };
  }
  try {
    await whoAnswers(context, options, place);
  } catch (error) {
    context.signal.throwIfAborted();
    return { ok: false, subject, found: messageOf(error), hint: "install iputils-arping there, and run it as root" };
  }
  return { ok: true, subject, found };
};

const lookAtClient = async (
  context: TrafficContext,
  options: AddressOptions,
  holders: readonly Holder[],
): Promise<Finding> => {
  const subject = "client";
  const { client } = options;
  if (client === undefined) {
    const found = "none declared: nobody looks from outside who answers for the address after a cutover";
    return { ok: true, subject, found, hint: "declare client: another machine of the same network segment" };
  }
  try {
    const answers = await whoAnswers(context, options, client);
    const expected = havingOf(holders).flatMap(({ sight }) => (sight === null ? [] : [sight.mac]));
    const found =
      answers.length === 0 ? "nobody answers it for the address" : `${answers.join(", ")} answers it for the address`;
    return { ok: answers.join() === expected.join() || silentOf(holders).length > 0, subject, found };
  } catch (error) {
    context.signal.throwIfAborted();
    return { ok: false, subject, found: messageOf(error) };
  }
};

const preflight = async (context: TrafficContext, options: AddressOptions): Promise<PreflightReport> => {
  const holders = await askHolders(context, options);
  const findings: Finding[] = [];
  for (const holder of holders) findings.push(await lookAtHolder(context, options, holder));
  const having = havingOf(holders).map(({ name }) => name);
  if (having.length > 1)
    findings.push({ ok: false, subject: ipOf(options), found: `is on ${having.join(" and on ")} at once` });
  findings.push(await lookAtClient(context, options, holders));
  return {
    findings,
    commands: [],
    recoveryCommands: [
      `ip addr flush dev INTERFACE to ${ipOf(options)}/32`,
      `arping -D -c 2 -w 2 -I INTERFACE ${ipOf(options)}`,
      `ip addr add ${withPrefix(options)} dev INTERFACE`,
      `arping -U -c 1 -I INTERFACE ${ipOf(options)}`,
    ],
    grants: ["root on each holder (CAP_NET_ADMIN, CAP_NET_RAW)"],
  };
};

export const addressTraffic: TrafficDriver<AddressOptions> = {
  kind: "address",
  summary: "Users come by an IP address that is moved between machines of one network segment.",
  options: addressOptionsSchema,
  preflight,
  observe,
  hold,
  admit,
};
