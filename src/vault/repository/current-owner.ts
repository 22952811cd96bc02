/** Who works on the repository: the machine and the user that locks, keys and snapshots name. */
import { hostname, userInfo } from "node:os";

export type RepositoryOwner = {
  readonly hostname: string;
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
};

export const currentOwner = (): RepositoryOwner => {
  const { username, uid, gid } = userInfo();
  return { hostname: hostname(), username, uid: Math.max(uid, 0), gid: Math.max(gid, 0) };
};
