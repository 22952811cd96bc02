/** Who acts, and in which of the system's groups that person is: what an approval gate asks for. By sudo it is still the person who called it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { ActingPerson } from "../core/ports/workbench.ts";
import { currentPerson } from "./current-person.ts";

export const actingPerson = async (): Promise<ActingPerson> => {
  const { user, sudoUser } = currentPerson();
  // Only root has come by sudo; anybody else can set the variable, and would be whoever it names.
  const name = process.getuid?.() === 0 ? (sudoUser ?? user) : user;
  try {
    const { stdout } = await promisify(execFile)("id", ["-Gn", "--", name]);
    return { name, roles: [name, ...stdout.trim().split(/\s+/)] };
  } catch {
    // A user without an entry in the system's accounts is in no group of it.
    return { name, roles: [name] };
  }
};
