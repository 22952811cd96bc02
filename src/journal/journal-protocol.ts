/** What goes between the journal's thread and its callers: a call by name, and its answer. */
import { type ErrorCode, errorCatalogue } from "../model/error-catalogue.ts";
import type { JsonObject } from "../model/json.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { FaultPoint } from "../platform/fault-point.ts";
import { JournalStore, type RecordCall } from "./journal-store.ts";

export type JournalMethod = Exclude<keyof JournalStore, "recordTogether">;

export type JournalCall = {
  readonly id: number;
  readonly method: JournalMethod;
  readonly args: readonly unknown[];
};

type ErrorParts = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly cause: string | undefined;
  readonly context: JsonObject;
  readonly state: string | undefined;
  readonly hint: string | undefined;
  readonly nextCommand: string | undefined;
};

export type JournalAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorParts };

export type JournalThreadData = { readonly path: string };

/**
 * The thread's side. The first call opens the store; while that fails, each call is answered with the reason. Calls are done in the order
 * they come in; transitions that have come in meanwhile share a commit.
 */
export const serveJournal = (
  { path }: JournalThreadData,
  fault: FaultPoint,
  answer: (message: JournalAnswer) => void,
): ((call: JournalCall) => void) => {
  let store: JournalStore | null = null;
  let waiting: JournalCall[] = [];
  const fail = (id: number, error: unknown): void => answer({ id, error: takeApart(toRefloatError(error)) });

  const serve = ({ id, method, args }: JournalCall): void => {
    try {
      store ??= new JournalStore(path, fault);
      const run = store[method].bind(store) as (...given: readonly unknown[]) => unknown;
      answer({ id, value: run(...args) });
    } catch (error) {
      fail(id, error);
    }
  };
  const serveRecords = (calls: readonly JournalCall[]): void => {
    if (store === null || calls.length === 1) {
      for (const call of calls) serve(call);
      return;
    }
    const outcomes = store.recordTogether(calls.map(({ args }) => args as unknown as RecordCall));
    for (const [index, outcome] of outcomes.entries()) {
      const id = calls[index]?.id ?? 0;
      if ("error" in outcome) fail(id, outcome.error);
      else answer({ id, value: outcome.value });
    }
  };
  const serveAll = (): void => {
    const calls = waiting;
    waiting = [];
    for (let begin = 0; begin < calls.length;) {
      const other = calls.findIndex(({ method }, index) => index >= begin && method !== "record");
      const end = other === -1 ? calls.length : Math.max(other, begin);
      if (end > begin) serveRecords(calls.slice(begin, end));
      const alone = calls[end];
      if (alone !== undefined) serve(alone);
      begin = end + 1;
    }
  };
  return (call) => {
    // All that has come in by then is served at once.
    if (waiting.push(call) === 1) setImmediate(serveAll);
  };
};

/** An error loses its class and its getters between threads. */
const takeApart = (error: RefloatError): ErrorParts => ({
  code: error.code,
  message: error.message,
  cause: error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : undefined,
  context: error.context,
  state: error.state,
  hint: error.hint,
  nextCommand: error.nextCommand,
});

export const putTogether = ({ code, message, cause, context, state, hint, nextCommand }: ErrorParts): RefloatError =>
  new RefloatError(code in errorCatalogue ? code : "bug", message, {
    context,
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
    ...(state === undefined ? {} : { state }),
    ...(hint === undefined ? {} : { hint }),
    ...(nextCommand === undefined ? {} : { nextCommand }),
  });
