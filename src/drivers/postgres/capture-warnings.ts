/** What is not in a point although it is in the database: said in every point, never left to be found out. */
import type { ArchiveToc } from "./archive-toc.ts";
import type { HeldSnapshot } from "./held-snapshot.ts";
import { describeScheduler, hasScheduler } from "./scheduler.ts";

const namesShown = 5;

const listNames = (names: readonly string[]): string => {
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : "";
  return `${names.slice(0, namesShown).join(", ")}${more}`;
};

const count = (number: number, one: string, many: string): string => (number === 1 ? `1 ${one}` : `${number} ${many}`);

export const describeCapture = (parts: {
  readonly toc: ArchiveToc;
  readonly snapshot: HeldSnapshot;
  /** User mappings that lost their secrets. */
  readonly redacted: readonly string[];
}): { readonly excluded: readonly string[]; readonly warnings: readonly string[] } => {
  const { toc, snapshot, redacted } = parts;
  const withData = new Set(toc.entries.filter(({ kind }) => kind === "TABLE DATA").map(({ oid }) => oid));
  const excluded = snapshot.relations
    .filter(
      ({ oid, partitioned, extensionCondition }) => !partitioned && extensionCondition === null && !withData.has(oid),
    )
    .map(({ label }) => label);
  const foreign = toc.entries.filter(({ kind }) => kind === "FOREIGN TABLE").map(({ tag }) => tag);
  const { subscriptions } = snapshot.database;
  const warnings: string[] = [];
  if (excluded.length > 0) {
    warnings.push(
      `the rows of ${count(excluded.length, "table", "tables")} are left out as declared: ${listNames(excluded)}`,
    );
  }
  if (foreign.length > 0) {
    warnings.push(`foreign tables have no rows of their own; theirs are not in the point: ${listNames(foreign)}`);
  }
  if (redacted.length > 0) {
    warnings.push(`passwords of user mappings are not in the point; set them after a restore: ${listNames(redacted)}`);
  }
  if (subscriptions.length > 0) {
    warnings.push(
      `subscriptions are not in the point, so that a copy does not receive in their name: ${listNames(subscriptions)}`,
    );
  }
  if (hasScheduler(snapshot.database.extensions)) warnings.push(describeScheduler({ units: {} }));
  return { excluded, warnings };
};
