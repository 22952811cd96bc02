/** Where what is taken out of a point is put, for a command that can be run as it is shown: beside nothing of its own name. */
import { shellWord } from "./shell-word.ts";

/** `restored-17.pdf` for `invoices/17.pdf`, as a word of the shell. @param path within a component; what it is called where it has none */
export const restoredName = (path: string): string =>
  shellWord(`restored-${path.split("/").findLast((part) => part !== "") ?? "data"}`);
