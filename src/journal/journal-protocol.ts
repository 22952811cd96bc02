/** What goes between the journal's thread and its callers: a call by name, and its answer. */
import { type ErrorCode, errorCatalogue } from "../model/error-catalogue.ts";
import type { JsonObject } from "../model/json.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import type { FaultPoint } from "../platform/fault-point.ts";
import { JournalStore } from "./journal-store.ts";

export type JournalMethod = keyof JournalStore;

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

/** The thread's side. The first call opens the store; while that fails, each call is answered with the reason. */
export const serveJournal = (
  { path }: JournalThreadData,
  fault: FaultPoint,
  answer: (message: JournalAnswer) => void,
): ((call: JournalCall) => void) => {
  let store: JournalStore | null = null;
  return ({ id, method, args }) => {
    try {
      store ??= new JournalStore(path, fault);
      const run = store[method].bind(store) as (...given: readonly unknown[]) => unknown;
      answer({ id, value: run(...args) });
    } catch (error) {
      answer({ id, error: takeApart(toRefloatError(error)) });
    }
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
