/**
 * Directs the clients of PostgreSQL by one database of a PgBouncer. Held are they by PAUSE: they stay connected, and what they ask waits.
 * Then the entry is rewritten in its file, loaded, and RESUME lets them go on at the new server without noticing. What PgBouncer points to
 * is what its console says; the file is changed only while both say the same.
 */
import { constants } from "node:fs";
import { access, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { TrafficContext, TrafficDriver } from "../../core/ports/traffic.ts";
import { refuseMovedTraffic } from "../../core/run/refuse-moved-traffic.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readTextFile, replaceText } from "../../platform/replace-text.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import { type PooledDatabase, readDatabase, readSettings, tellConsole, tellDatabase } from "./admin-console.ts";
import { readEntry, writeEntry } from "./databases-file.ts";
import {
  type PgbouncerOptions,
  type ServerPlace,
  drainMsOf,
  pgbouncerOptionsSchema,
  placeText,
  readPlace,
} from "./pgbouncer-options.ts";

const proofTimeoutMs = 10_000;
/** For the word to reach the console, before its connection may be cut. */
const leastDrainMs = 100;
/** RELOAD answers when it is done. */
const loadTimeoutMs = 1_000;

const addressOf = ({ place }: PooledDatabase): string | null => (place === null ? null : placeText(place));
const isAdmitted = ({ paused, disabled }: PooledDatabase): boolean => !paused && !disabled;

const letGoOn = async (context: TrafficContext, options: PgbouncerOptions): Promise<void> => {
  try {
    await tellDatabase(context, options, "RESUME");
  } catch (error) {
    context.signal.throwIfAborted();
    // "not paused": somebody, or an attempt of ours whose answer was lost, has let them go on.
    if (!(await readDatabase(context, options)).paused) return;
    throw error;
  }
};

/** Transactions end, or are cut off when their time is over. Resolves when no connection to the server is left. */
const pause = async (context: TrafficContext, options: PgbouncerOptions): Promise<void> => {
  const drainMs = drainMsOf(options);
  try {
    // The console answers when the last transaction has ended; new ones wait from now on.
    await tellDatabase(context, options, "PAUSE", Math.max(drainMs, leastDrainMs));
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(await readDatabase(context, options)).paused) throw error;
  }
  if ((await readDatabase(context, options)).connections > 0) await tellDatabase(context, options, "KILL");
  const isIdle = async (): Promise<boolean> => {
    const { paused, connections } = await readDatabase(context, options);
    return paused && connections === 0;
  };
  if (await waitUntil(context, proofTimeoutMs, isIdle)) return;
  const { connections } = await readDatabase(context, options);
  throw new RefloatError(
    "fence.failed",
    `PgBouncer still has ${connections} connections to the server of ${options.pgbouncer} after PAUSE and KILL`,
    { hint: `see SHOW SERVERS in its console, and its log` },
  );
};

const hold = async (context: TrafficContext, options: PgbouncerOptions): Promise<void> => {
  const before = await readDatabase(context, options);
  try {
    await pause(context, options);
  } catch (error) {
    // What could not be held must not leave clients waiting for nothing.
    if (!before.paused && !context.signal.aborted) await letGoOn(context, options).catch(() => undefined);
    throw error;
  }
};

/** Has PgBouncer read its files again. An answer that was lost is looked for in what it points to. */
const load = async (context: TrafficContext, options: PgbouncerOptions, target: string): Promise<void> => {
  let failure: unknown;
  try {
    await tellConsole(context, options, "RELOAD");
  } catch (error) {
    context.signal.throwIfAborted();
    failure = error;
  }
  const isLoaded = async () => addressOf(await readDatabase(context, options)) === target;
  if (await waitUntil(context, failure === undefined ? loadTimeoutMs : 0, isLoaded)) return;
  throw new RefloatError("target.failed", `PgBouncer does not point ${options.pgbouncer} to ${target} after RELOAD`, {
    cause: failure,
    hint: `its log says why; file: must be what it reads: ${options.file}`,
  });
};

/** Where the entry shall point, and where it may point now. */
type Direction = { readonly place: ServerPlace; readonly target: string; readonly from: readonly string[] | null };

/**
 * Clients must go on where nothing has to be changed for it. What the file holds for later is put right where this or the undone run has
 * written it, and left to whoever has written it otherwise.
 */
const putFileRight = async (
  context: TrafficContext,
  { file, pgbouncer }: PgbouncerOptions,
  text: string,
  { place, target, from }: Direction,
): Promise<void> => {
  const written = placeText(readEntry(text, file, pgbouncer));
  if (written === target) return;
  if (from?.includes(written) === true) {
    await replaceText(file, text, writeEntry(text, file, pgbouncer, place));
    return;
  }
  context.log.warn(
    `${file} points ${pgbouncer} to ${written}, which PgBouncer has not loaded: its next RELOAD would go there`,
  );
};

/** Changes the entry from what both file and console say. */
const pointTo = async (context: TrafficContext, options: PgbouncerOptions, direction: Direction): Promise<void> => {
  const { file, pgbouncer } = options;
  const { place, target, from } = direction;
  const text = await readTextFile(file);
  const written = placeText(readEntry(text, file, pgbouncer));
  const before = await readDatabase(context, options);
  const loaded = addressOf(before);
  if (loaded === target) {
    await putFileRight(context, options, text, direction);
    return;
  }
  refuseMovedTraffic(`the running PgBouncer's ${pgbouncer}`, loaded, target, from);
  if (written !== target && written !== loaded) {
    throw new RefloatError(
      "cutover.conflict",
      `${file} points ${pgbouncer} to ${written}, and the running PgBouncer to ${loaded ?? "a socket"}: somebody changed it`,
      { hint: "see who changed it, and RELOAD or take it back; nothing was written over it" },
    );
  }
  // Written already by an attempt that did not come to load it, or by the entry of another PgBouncer that reads the same file.
  const after = written === target ? text : writeEntry(text, file, pgbouncer, place);
  await replaceText(file, text, after);
  try {
    await load(context, options, target);
  } catch (error) {
    context.signal.throwIfAborted();
    // A PgBouncer that is started later must come up where this one was left.
    const asBefore =
      written !== target ? text : before.place === null ? after : writeEntry(text, file, pgbouncer, before.place);
    await replaceText(file, after, asBefore);
    await tellConsole(context, options, "RELOAD").catch(() => undefined);
    throw error;
  }
};

const admit: TrafficDriver<PgbouncerOptions>["admit"] = async (context, options, to, from = null) => {
  const place = readPlace(to);
  const target = placeText(place);
  const before = await readDatabase(context, options);
  // Asked before anybody is held for it.
  refuseMovedTraffic(`the running PgBouncer's ${options.pgbouncer}`, addressOf(before), target, from);
  // Also where nothing was held before: no transaction may still be under way on the other server when the first one begins on this.
  if (addressOf(before) !== target && !(before.paused && before.connections === 0)) await hold(context, options);
  await pointTo(context, options, { place, target, from });
  const { disabled, paused } = await readDatabase(context, options);
  if (paused) await letGoOn(context, options);
  if (disabled) await tellConsole(context, options, `ENABLE "${options.pgbouncer}"`);
  const now = await readDatabase(context, options);
  if (isAdmitted(now) && addressOf(now) === target) return;
  throw new RefloatError(
    "target.failed",
    `${options.pgbouncer} is ${isAdmitted(now) ? "admitted" : "held"} at ${addressOf(now) ?? "a socket"}, not admitted to ${target}: somebody changed it`,
  );
};

type Finding = PreflightReport["findings"][number];

/** Asked for by a word that changes nothing: there is no such database. */
const noDatabase = "refloat.asks";

const lookAtRights = async (context: TrafficContext, options: PgbouncerOptions): Promise<Finding> => {
  const subject = "console";
  try {
    await tellConsole(context, options, `RESUME "${noDatabase}"`);
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "source.denied")
      return { ok: false, subject, found: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  return { ok: true, subject, found: "answers, and takes words that change it" };
};

const lookAtFile = async (options: PgbouncerOptions, loaded: string | null): Promise<Finding> => {
  const { file: subject, pgbouncer } = options;
  const written = placeText(readEntry(await readTextFile(subject), subject, pgbouncer));
  try {
    // It is replaced, so that nobody reads half of it.
    await access(dirname(await realpath(subject)), constants.W_OK | constants.X_OK);
  } catch (error) {
    return { ok: false, subject: dirname(subject), found: `cannot be written: ${describeSystemError(error)}` };
  }
  if (written === loaded) return { ok: true, subject, found: `${pgbouncer}: ${written}, as PgBouncer has loaded it` };
  return {
    ok: false,
    subject,
    found: `${pgbouncer}: ${written}, and the running PgBouncer has ${loaded ?? "a socket"}`,
    hint: "RELOAD in its console, or declare the file that it reads: a cutover changes only what both say",
  };
};

const lookAtHolding = async (context: TrafficContext, options: PgbouncerOptions): Promise<readonly Finding[]> => {
  const settings = await readSettings(context, options);
  const pools = await tellConsole(context, options, "SHOW POOLS");
  const own = pools.filter(({ database }) => database === options.pgbouncer).map((row) => row["pool_mode"]);
  const modes = new Set(own.length === 0 ? [settings.get("pool_mode")] : own);
  const wait = Number(settings.get("query_wait_timeout") ?? 0);
  const subject = options.pgbouncer;
  return [
    modes.has("session")
      ? {
          ok: true,
          subject,
          found: `pools by session: clients that have asked anything are cut off after ${options.drain}, as a pause waits for their end`,
          hint: "pool_mode = transaction lets them go on without connecting anew",
        }
      : {
          ok: true,
          subject,
          found: `clients wait during a cutover; a transaction that goes on after ${options.drain} is cut off`,
        },
    {
      ok: true,
      subject: "query_wait_timeout",
      found:
        wait === 0 ? "clients are held for as long as it takes" : `PgBouncer cuts off who has been held for ${wait} s`,
    },
  ];
};

const preflight = async (context: TrafficContext, options: PgbouncerOptions): Promise<PreflightReport> => {
  const { pgbouncer, file, console: url } = options;
  const rights = await lookAtRights(context, options);
  const seen = await readDatabase(context, options);
  const address = addressOf(seen);
  const say = (words: string): string => `psql '${url}' -c '${words}'`;
  return {
    findings: [
      rights,
      { ok: true, subject: pgbouncer, found: `${address ?? "a socket"}, ${isAdmitted(seen) ? "admitted" : "held"}` },
      await lookAtFile(options, address),
      ...(await lookAtHolding(context, options)),
    ],
    commands: [],
    recoveryCommands: [say(`PAUSE "${pgbouncer}"`), `edit ${file}`, say("RELOAD"), say(`RESUME "${pgbouncer}"`)],
    grants: [`admin_users = USER   in pgbouncer.ini, and write ${dirname(file)}`],
  };
};

export const pgbouncerTraffic: TrafficDriver<PgbouncerOptions> = {
  kind: "pgbouncer",
  summary: "Clients of PostgreSQL come by one database of a PgBouncer, and are held without being cut off.",
  options: pgbouncerOptionsSchema,
  preflight,
  addressOf: (to) => placeText(readPlace(to)),
  observe: async (context, options) => {
    const seen = await readDatabase(context, options);
    const { paused, disabled, connections, database } = seen;
    return { admitted: isAdmitted(seen), address: addressOf(seen), raw: { paused, disabled, connections, database } };
  },
  hold,
  admit,
};
