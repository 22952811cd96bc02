/**
 * The keeper of a freeze: a process of its own that runs `freeze`, waits and runs `thaw`, so that one follows the other however the capture
 * ends. It thaws when it is asked to, when the time is over, when the capture's end of the pipe is closed (by SIGKILL too), when it is told to
 * end. A freeze that is still running then is ended first: nothing may freeze after the thaw.
 *
 * If the keeper itself is killed, the record is left, and the next one thaws first.
 */
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { lineWords } from "../../core/quiesce/quiesce-lines.ts";
import type { ThawCause } from "../../core/ports/freezes.ts";
import { acquireProcessLock } from "../process-lock.ts";
import { describeEnd, lastLines, runShellLine } from "../shell-line.ts";
import { describeSystemError } from "../system-error.ts";
import { keeperLockPath, readFrozenRecord, removeFrozenRecord, writeFrozenRecord } from "./frozen-record.ts";
import type { KeeperAnswer, KeeperRequest } from "./keeper-words.ts";

const never = new AbortController().signal;
/** Who only looks whether the lock is free has it for an instant. */
const lookMs = 250;
/** A service may be unable to thaw for a moment; one that stays frozen is told soon. */
const thawPausesMs = [0, 500, 2_000];
const thawTimeoutMs = 60_000;

const tell = (answer: KeeperAnswer): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};

type LineFailure = {
  readonly why: string;
  /** A signal ended it, or the time: what it was about to do may be done all the same. */
  readonly isCut: boolean;
};

/** @returns how it failed; null when it ended well @throws the signal's reason */
const runDeclared = async (
  request: KeeperRequest,
  key: "freeze" | "thaw",
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<LineFailure | null> => {
  const { service, variables, secrets } = request;
  const words = lineWords(request.quiesce)[key];
  try {
    const result = await runShellLine(request[key] ?? "", {
      ...options,
      marker: `refloat/quiesce/${service}`,
      environment: { ...variables, REFLOAT_SERVICE: service },
      secrets,
      // What holds the service may be a process that freeze leaves behind.
      mayLeaveDaemon: true,
    });
    const end = describeEnd(result);
    if (end === null) return null;
    const said = lastLines(result.output, 5);
    const why = `${key}: "${words}" failed: ${end}${said === "" ? "" : `: ${said}`}`;
    return { why, isCut: result.timedOut || result.endedBy !== null };
  } catch (error) {
    options.signal.throwIfAborted();
    const why = `${key}: "${words}" cannot be run: ${error instanceof Error ? error.message : String(error)}`;
    return { why, isCut: false };
  }
};

const thaw = async (request: KeeperRequest): Promise<string | null> => {
  let reason: string | null = null;
  for (const pauseMs of thawPausesMs) {
    await delay(pauseMs);
    const failed = await runDeclared(request, "thaw", { signal: never, timeoutMs: thawTimeoutMs });
    if (failed === null) return null;
    reason = failed.why;
  }
  return reason;
};

/** Thaws what the record says is frozen, and remembers how that ended. @returns how it failed */
const thawRecorded = async (request: KeeperRequest): Promise<string | null> => {
  const { folder, service } = request;
  const reason = await thaw(request);
  if (reason === null) {
    await removeFrozenRecord(folder, service);
    return null;
  }
  const record = await readFrozenRecord(folder, service);
  if (record !== null)
    await writeFrozenRecord(folder, { ...record, failure: { at: new Date().toISOString(), reason } });
  return reason;
};

type Ending = {
  /** Aborts with the cause as soon as there is one. */
  readonly signal: AbortSignal;
  readonly end: (because: ThawCause) => void;
  readonly cause: Promise<ThawCause>;
};

/** The first cause counts. */
const createEnding = (): Ending => {
  const { promise, resolve } = Promise.withResolvers<ThawCause>();
  const stop = new AbortController();
  return {
    signal: stop.signal,
    cause: promise,
    end: (because) => {
      resolve(because);
      stop.abort(new Error(because));
    },
  };
};

const keep = async (request: KeeperRequest, ending: Ending, leftSince: string | null): Promise<void> => {
  const { folder, service, quiesce, atMostMs } = request;
  const [from, beganMs] = [new Date(), performance.now()];
  const fromAt = from.toISOString();
  const untilAt = new Date(from.getTime() + atMostMs).toISOString();
  try {
    await writeFrozenRecord(folder, { service, sinceAt: fromAt, untilAt, quiesce, failure: null });
  } catch (error) {
    return tell({ type: "idle", why: `the freeze cannot be remembered: ${describeSystemError(error)}` });
  }
  let hasFailed = false;
  const timer = setTimeout(() => ending.end("deadline"), atMostMs);
  let why: string | null = null;
  try {
    const failed = await runDeclared(request, "freeze", { signal: ending.signal });
    if (failed !== null) ({ why } = failed);
    // The kernel goes on freezing for a program that is killed meanwhile.
    hasFailed = failed !== null && !failed.isCut;
    if (failed !== null) ending.end("freeze-failed");
    else if (!ending.signal.aborted) tell({ type: "frozen", leftSince });
  } catch {
    // It was ended half way; what it had done is thawed.
    why = `freeze: "${lineWords(quiesce).freeze}" had not ended`;
  }
  const because = await ending.cause;
  clearTimeout(timer);
  const isUntouched = hasFailed && request.isWhole;
  if (isUntouched) await removeFrozenRecord(folder, service);
  const stuck = isUntouched ? null : await thawRecorded(request);
  const heldMs = Math.round(performance.now() - beganMs);
  tell({ type: "ended", because, why, fromAt, toAt: new Date().toISOString(), heldMs, stuck });
};

/** Of a freeze that another has begun. */
const tellOfLeft = (sinceAt: string, stuck: string | null): void => {
  const toAt = new Date().toISOString();
  const heldMs = Math.max(0, Date.parse(toAt) - Date.parse(sinceAt));
  tell({ type: "ended", because: "lost", why: null, fromAt: sinceAt, toAt, heldMs, stuck });
};

const serve = async (request: KeeperRequest, ending: Ending): Promise<void> => {
  const { folder, service } = request;
  const lock = acquireProcessLock(keeperLockPath(folder, service), lookMs);
  if (lock === null) return tell({ type: "busy" });
  let leftSince: string | null = null;
  try {
    leftSince = (await readFrozenRecord(folder, service))?.sinceAt ?? null;
    const stuck = leftSince === null ? null : await thawRecorded(request);
    if (leftSince !== null && stuck !== null) return tellOfLeft(leftSince, stuck);
    if (request.freeze !== null && !ending.signal.aborted) return await keep(request, ending, leftSince);
    return leftSince === null ? tell({ type: "idle", why: null }) : tellOfLeft(leftSince, null);
  } catch (error) {
    // The state folder cannot be read or written: what is known of a freeze stays there.
    tellOfLeft(leftSince ?? new Date().toISOString(), error instanceof Error ? error.message : String(error));
  } finally {
    lock.release();
  }
};

export const keepFreeze = async (): Promise<void> => {
  const ending = createEnding();
  // Nobody may be left to read what is told.
  process.stdout.on("error", () => undefined);
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => ending.end("stopped"));
  const asked = Promise.withResolvers<KeeperRequest | null>();
  let isAsked = false;
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", (line) => {
    if (isAsked) return ending.end("asked");
    isAsked = true;
    asked.resolve(JSON.parse(line) as KeeperRequest);
  });
  lines.on("close", () => {
    asked.resolve(null);
    ending.end("gone");
  });
  const request = await asked.promise;
  if (request !== null) await serve(request, ending);
  lines.close();
  process.stdin.destroy();
};
