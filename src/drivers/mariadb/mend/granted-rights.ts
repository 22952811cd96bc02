/** What a user may do in a database, by what SHOW GRANTS answers him. Pure. */

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

export type Granted = {
  /** As SHOW GRANTS answers: those of roles that are switched on included. */
  readonly grants: readonly string[];
  readonly database: string;
};

/** @param isOf the table that the right may be of alone, by its name */
const isGiven = ({ grants, database }: Granted, privilege: string, isOf: (table: string) => boolean): boolean =>
  grants.some((grant) => {
    const { what, database: on, table: of } = grantPattern.exec(grant)?.groups ?? {};
    if (what === undefined || on === undefined || of === undefined) return false;
    const given = what.replaceAll(/ ?\([^)]*\)/g, "").split(/, ?/);
    const isThis = given.includes("ALL PRIVILEGES") || given.includes(privilege);
    return isThis && isOfDatabase(on, database) && (of === "*" || isOf(named(of)));
  });

/** Does the server show us the triggers of a table? Who may not see them is told of none, and they fire all the same. */
export const maySeeTriggers = (granted: Granted, table: string): boolean =>
  isGiven(granted, "TRIGGER", (of) => of === table);

const rightsOf = {
  compare: ["SELECT", "TRIGGER", "CREATE TEMPORARY TABLES"],
  mend: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRIGGER", "CREATE TEMPORARY TABLES"],
  make: ["CREATE", "ALTER", "DROP", "REFERENCES", "LOCK TABLES"],
} as const;

/** To compare rows; to put them back, and to take them back again; and to make a table that was dropped. */
export type MendAct = keyof typeof rightsOf;

export const privilegesOf = (acts: readonly MendAct[]): readonly string[] => [
  ...new Set(acts.flatMap((act) => rightsOf[act])),
];

/**
 * All that acts need and is not given. A right on one table counts, since nobody gives it to withhold it here; where that leaves nothing, a table is concerned that it is not of.
 * @returns empty where all is given for the whole database
 */
export const lackingPrivileges = (granted: Granted, acts: readonly MendAct[]): readonly string[] => {
  const without = (isOf: () => boolean) => privilegesOf(acts).filter((privilege) => !isGiven(granted, privilege, isOf));
  const nowhere = without(() => true);
  return nowhere.length > 0 ? nowhere : without(() => false);
};
