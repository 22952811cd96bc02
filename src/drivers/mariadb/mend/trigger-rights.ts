/** Does the server show us the triggers of a table? Who may not see them is told of none, and they fire all the same. Pure. */

const grantPattern = /^GRANT (?<what>.+?) ON (?<database>\*|`(?:[^`]|``)+`)\.(?<table>\*|`(?:[^`]|``)+`) TO /;

const named = (quoted: string): string => quoted.slice(1, -1).replaceAll("``", "`");

/** In a right a database is a pattern: `_` and `%` stand for others, unless escaped. */
const isOfDatabase = (quoted: string, database: string): boolean => {
  if (quoted === "*") return true;
  const pattern = named(quoted).replaceAll(/\\[_%\\]|[_%]|[.*+?^${}()|[\]\\]/g, (found) =>
    found === "_" ? "." : found === "%" ? ".*" : `\\${found.slice(-1)}`,
  );
  return new RegExp(`^${pattern}$`, "s").test(database);
};

/** @param grants as SHOW GRANTS answers: those of roles that are switched on included */
export const maySeeTriggers = (grants: readonly string[], database: string, table: string): boolean =>
  grants.some((grant) => {
    const { what, database: on, table: of } = grantPattern.exec(grant)?.groups ?? {};
    if (what === undefined || on === undefined || of === undefined) return false;
    const isGiven = what === "ALL PRIVILEGES" || /(?:^|, )TRIGGER(?:,|$)/.test(what);
    return isGiven && isOfDatabase(on, database) && (of === "*" || named(of) === table);
  });
