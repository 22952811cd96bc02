/**
 * Arming of the server behind the stable name, by the record that its restore has left in its folder. Only events are switched off in a restored server, so only they are armed:
 * what it followed is in no backup, and engines that reach other servers are on again as its configuration says once it is switched.
 */
import { nullWhenDown } from "../../../core/components/null-when-down.ts";
import type { ArmRequest, Arming } from "../../../core/ports/arming.ts";
import type { ArmProposal } from "../../../model/arming.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import {
  type OffEventSeen,
  type SeenEvent,
  enableEvents,
  isSameEvent,
  proposeEvents,
  readEvents,
  requireItems,
} from "../events.ts";
import { heldPrivileges } from "../rights.ts";
import { type SqlAccess, askSql, textOf } from "../sql-client.ts";
import { quoteAccount } from "../sql-text.ts";
import {
  type DisarmRecord,
  type RecordedEvent,
  eventItem,
  readDisarmRecord,
  writeDisarmRecord,
} from "./disarm-record.ts";
import { type ServerContext, type ServerOptions, dataPathOf, liveAccessOf } from "./server-options.ts";
import { isServed } from "./server-process.ts";

/** Of the user of the url, beside what a capture and a recovery take. */
const rights = ["EVENT", "SET USER"] as const;

type Seen = {
  readonly events: readonly SeenEvent[];
  readonly account: string;
  readonly held: ReadonlySet<string>;
};

const mayAll = (held: ReadonlySet<string>, right: (typeof rights)[number]): boolean =>
  held.has(right) || held.has("ALL PRIVILEGES") || (right === "SET USER" && held.has("SUPER"));

const look = async (access: SqlAccess, { events }: DisarmRecord): Promise<Seen> => {
  const held = await heldPrivileges(access);
  const [row] = await askSql(access, "SELECT CURRENT_USER() AS account;");
  const databases = [...new Set(events.map(({ database }) => database))];
  return { events: await readEvents(access, databases), account: textOf(row, "account"), held };
};

const wasOf = ({ ran, schedule }: RecordedEvent): string =>
  ran
    ? `enabled, ${schedule}`
    : `off already where it was captured, since a recovery before that or as on a replica; ${schedule}`;

/**
 * What waits, as the server has it; what it does not show us is taken from the record.
 * @param seen null where the server could not be asked
 */
const waitingOf = (
  { events, armed, left, begun }: DisarmRecord,
  seen: Seen | null,
): readonly {
  readonly item: string;
  readonly was: string;
  readonly begun: boolean;
  readonly seen: SeenEvent | null;
}[] =>
  events.flatMap((event) => {
    const item = eventItem(event);
    if (armed.includes(item) || left.includes(item)) return [];
    const found = seen?.events.find((one) => isSameEvent(one, event)) ?? null;
    const isBegun = begun.includes(item);
    const isGone = found === null && seen !== null && mayAll(seen.held, "EVENT");
    // Somebody else has switched it on, or dropped it.
    if (isGone || (found?.isEnabled === true && !isBegun)) return [];
    return [{ item, was: wasOf(event), begun: isBegun, seen: found }];
  });

type Server = { readonly stable: string; readonly access: SqlAccess; readonly record: DisarmRecord };

const requireServer = async (context: ServerContext): Promise<Server> => {
  const stable = await dataPathOf(context);
  const record = await readDisarmRecord(stable);
  if (record !== null) return { stable, record, access: await liveAccessOf(context, "target") };
  throw new RefloatError("usage", `nothing is off in ${context.component}`, { state: "nothing was changed" });
};

/** @throws RefloatError arming.refused */
const refuseActingSide = async (outgoing: string | null): Promise<void> => {
  if (outgoing === null || !(await isServed(outgoing))) return;
  throw new RefloatError("arming.refused", `a server runs on the old side, ${outgoing}: its events would run twice`, {
    state: "nothing was changed",
    hint: "stop it, or drop the old side by refloat commit",
  });
};

/** @throws RefloatError source.denied with what to give */
const refuseWithoutRights = (chosen: readonly { readonly seen: SeenEvent | null }[], { held, account }: Seen): void => {
  const isHidden = chosen.some(({ seen }) => seen === null);
  const isOthers = chosen.some(({ seen }) => seen !== null && seen.definer !== account);
  const lacking = rights.filter(
    (right) => !mayAll(held, right) && (right === "EVENT" ? isHidden : isHidden || isOthers),
  );
  if (lacking.length === 0) return;
  throw new RefloatError("source.denied", `${account} may not switch these events on: no ${lacking.join(", ")}`, {
    state: "nothing was changed",
    hint: `as an administrator: GRANT ${lacking.join(", ")} ON *.* TO ${quoteAccount(account)}; and REVOKE it afterwards, if you like`,
  });
};

type Proposed = Server & { readonly proposal: ArmProposal; readonly chosen: readonly OffEventSeen[] };

const propose = async (context: ServerContext, request: ArmRequest): Promise<Proposed> => {
  const server = await requireServer(context);
  const seen = await look(server.access, server.record);
  const waiting = waitingOf(server.record, seen);
  requireItems(
    context.component,
    waiting.map(({ item }) => item),
    request.items,
  );
  await refuseActingSide(request.outgoing);
  const chosen = waiting.filter(({ item }) => request.items.includes(item));
  refuseWithoutRights(chosen, seen);
  const events = chosen.flatMap(({ item, was, seen: event }) => (event === null ? [] : [{ ...event, item, was }]));
  const proposal = await proposeEvents(server.access, events, request);
  const armed = new Set(proposal.items.map(({ name }) => name));
  return { ...server, proposal, chosen: events.filter(({ item }) => armed.has(item)) };
};

const without = (some: readonly string[], items: readonly string[]): string[] =>
  some.filter((one) => !items.includes(one));

export const serverArming: Arming<ServerOptions> = {
  disarmed: async (context) => {
    const record = await readDisarmRecord(await dataPathOf(context));
    if (record === null || record.events.length === 0) return [];
    const access = await liveAccessOf(context, "target");
    // A switch ends with this question: that the point's password is another one must not undo it.
    const seen = await nullWhenDown(context.signal, () => look(access, record));
    return waitingOf(record, seen).map(({ item, was, begun }) => ({ name: item, was, begun }));
  },

  propose: async (context, request) => (await propose(context, request)).proposal,

  arm: async (context, request) => {
    const { stable, access, record, chosen } = await propose(context, request);
    const items = chosen.map(({ item }) => item);
    const begun = [...new Set([...record.begun, ...items])];
    await writeDisarmRecord(stable, { ...record, begun });
    await enableEvents(access, chosen, "DISABLE ON SLAVE", () =>
      writeDisarmRecord(stable, { ...record, begun: without(record.begun, items) }),
    );
    await writeDisarmRecord(stable, {
      ...record,
      armed: [...record.armed, ...items],
      begun: without(record.begun, items),
    });
    return [];
  },

  leave: async (context, items) => {
    const stable = await dataPathOf(context);
    const record = await readDisarmRecord(stable);
    const seen =
      record === null
        ? null
        : await nullWhenDown(context.signal, async () => look(await liveAccessOf(context, "target"), record));
    requireItems(context.component, record === null ? [] : waitingOf(record, seen).map(({ item }) => item), items);
    if (record === null) return;
    await writeDisarmRecord(stable, {
      ...record,
      left: [...record.left, ...items],
      begun: without(record.begun, items),
    });
  },
};
