/** Turns the words of a command line into a command's typed input, or says in a person's words which of them is wrong. */
import type { z } from "zod";
import { RefloatError } from "../model/refloat-error.ts";

/** @throws RefloatError usage naming the first argument or option that has a wrong form */
export const readInput = <Input>(command: string, schema: z.ZodType<Input>, raw: unknown): Input => {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new RefloatError("usage", issue?.message ?? "the command line cannot be read", {
    nextCommand: `refloat ${command} --help`,
  });
};
