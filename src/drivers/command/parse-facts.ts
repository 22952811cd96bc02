import { type ToldFacts, toldFactsSchema } from "../../model/plugin-protocol.ts";
import { RefloatError } from "../../model/refloat-error.ts";

/** Facts as a declared line prints them. @throws RefloatError program.failed */
export const parseFacts = (component: string, said: string): ToldFacts => {
  try {
    return toldFactsSchema.parse(JSON.parse(said));
  } catch (error) {
    const shown = said.trim().slice(0, 200);
    throw new RefloatError(
      "program.failed",
      `the facts of ${component} are no JSON object of texts and numbers: ${shown === "" ? "nothing was printed" : shown}`,
      { cause: error, hint: 'print one object, such as {"keys": 12, "hash": "9f3a"}' },
    );
  }
};
