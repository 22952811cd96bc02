/** Names of restored and of retired databases beside the one that they stand for, within what a server allows. */
import { createHash } from "node:crypto";

export type DerivedNames = {
  /** `shop_r42`. */
  readonly instanceName: (database: string, run: number) => string;
  /** `shop_old42`. */
  readonly retiredName: (database: string, run: number) => string;
  /** Was this name made by the two functions above for this database, whatever the run? */
  readonly isDerivedName: (database: string, name: string) => boolean;
};

/** @param longestBytes of a name that the server keeps whole */
export const derivedNames = (longestBytes: number): DerivedNames => {
  /** `shop` and `_r42` to `shop_r42`; a name that would be cut keeps its beginning and gets a hash, so that two do not become one. */
  const withSuffix = (database: string, suffix: string): string => {
    if (Buffer.byteLength(database + suffix) <= longestBytes) return database + suffix;
    const tail = `~${createHash("sha256").update(database).digest("hex").slice(0, 8)}${suffix}`;
    let head = "";
    for (const character of database) {
      if (Buffer.byteLength(head + character + tail) > longestBytes) break;
      head += character;
    }
    return head + tail;
  };
  const instanceName: DerivedNames["instanceName"] = (database, run) => withSuffix(database, `_r${run}`);
  const retiredName: DerivedNames["retiredName"] = (database, run) => withSuffix(database, `_old${run}`);
  return {
    instanceName,
    retiredName,
    isDerivedName: (database, name) => {
      const match = /_(r|old)(\d+)$/.exec(name);
      if (match === null) return false;
      const run = Number(match[2]);
      return name === (match[1] === "r" ? instanceName(database, run) : retiredName(database, run));
    },
  };
};
