/**
 * Names of users and groups for the tree, which restic keeps beside the numbers. From /etc/passwd and /etc/group: Node cannot ask the
 * system's name services, so an owner known only to a directory server is kept by number alone.
 */
import { readFileSync } from "node:fs";

const namesIn = (path: string): ReadonlyMap<number, string> => {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return names;
  }
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (name !== undefined && id !== undefined && /^\d+$/.test(id) && !names.has(Number(id)))
      names.set(Number(id), name);
  }
  return names;
};

export type OwnerNames = { readonly user: (uid: number) => string; readonly group: (gid: number) => string };

export const readOwnerNames = (): OwnerNames => {
  const users = namesIn("/etc/passwd");
  const groups = namesIn("/etc/group");
  return { user: (uid) => users.get(uid) ?? "", group: (gid) => groups.get(gid) ?? "" };
};
