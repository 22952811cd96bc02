/** A table that cannot be compared is told, and keeps nobody from the others. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { ComparedPart } from "../ports/part-comparing.ts";

const ofOneTable: ReadonlySet<string> = new Set(["source.unsupported", "source.denied", "source.failed"]);

/** Does it say nothing of other tables? */
export const isOfOneTable = (error: unknown): error is RefloatError =>
  error instanceof RefloatError && ofOneTable.has(error.code);

/** For people: the right that is lacking is what whoever reads it has to know. */
export const whyUnfit = ({ code, message, hint }: RefloatError): string =>
  code === "source.denied" && hint !== undefined ? `${message}; ${hint}` : message;

export const unlessUnfit = async (name: string, act: () => Promise<ComparedPart>): Promise<ComparedPart> => {
  try {
    return await act();
  } catch (error) {
    if (!isOfOneTable(error)) throw error;
    return { name, state: "unseen", why: whyUnfit(error) };
  }
};
