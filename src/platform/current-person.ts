/** Who runs this process, as far as the system says: the user, and who became that user by sudo. */
import { userInfo } from "node:os";

export type Person = { readonly user: string; readonly sudoUser?: string };

export const currentPerson = (): Person => {
  const sudoUser = process.env["SUDO_USER"];
  return { user: userName(), ...(sudoUser === undefined || sudoUser === "" ? {} : { sudoUser }) };
};

/** A user id without an entry in passwd is no reason to stop. */
const userName = (): string => {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
};
