/** Errors between threads: a RefloatError arrives with its code and words, all else as a bug with its stack. */
import { errorCatalogue, type ErrorCode } from "../../../model/error-catalogue.ts";
import type { JsonObject } from "../../../model/json.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { PortableError } from "./calls.ts";

export const packError = (thrown: unknown): PortableError => {
  const known = thrown instanceof RefloatError ? thrown : undefined;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return {
    code: known?.code ?? null,
    message: error.message,
    stack: error.stack,
    context: known?.context ?? null,
    state: known?.state,
    hint: known?.hint,
    nextCommand: known?.nextCommand,
  };
};

const isErrorCode = (code: string | null): code is ErrorCode => code !== null && Object.hasOwn(errorCatalogue, code);

export const unpackError = (packed: PortableError): RefloatError => {
  const { state, hint, nextCommand } = packed;
  const cause = new Error(packed.message);
  cause.stack = packed.stack ?? "";
  return new RefloatError(isErrorCode(packed.code) ? packed.code : "bug", packed.message, {
    cause,
    context: (packed.context ?? {}) as JsonObject,
    ...(state === undefined ? {} : { state }),
    ...(hint === undefined ? {} : { hint }),
    ...(nextCommand === undefined ? {} : { nextCommand }),
  });
};
