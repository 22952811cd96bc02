/** A run's number as people type it. */
import { z } from "zod";
import type { RunNumber } from "../model/identifiers.ts";

/** `42`; `#42` and `run42` are what people read aloud. */
export const runNumberInput = z
  .string("say which run; refloat runs lists them")
  .regex(/^(#|run)?[1-9]\d{0,9}$/, {
    error: ({ input }) => `"${String(input)}" is no number of a run; refloat runs lists them`,
  })
  .transform((text): RunNumber => Number(text.replace(/^(#|run)/, "")) as RunNumber);

const uid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** For `resume`: also the uid of a run that is known only to the vault. */
export const runNumberOrUidInput = z
  .string()
  .refine((text) => uid.test(text) || runNumberInput.safeParse(text).success, {
    error: ({ input }) => `"${String(input)}" is neither the number of a run nor the uid of one in the vault`,
  })
  .transform((text): RunNumber | string => (uid.test(text) ? text.toLowerCase() : runNumberInput.parse(text)));
