/**
 * A table that was dropped, made again from the definitions of the point's archive: with its own sequences and defaults before its rows, with its
 * constraints, indexes, triggers, policies and grants after them. What others lost with it is named and left to a person.
 */
import type { DroppedTable } from "../../../platform/postgres/copied-rows.ts";
import type { TocEntry } from "../archive-toc.ts";
import { quoteName } from "../instance-names.ts";

/** In the order in which they are run. Sequences are those that a column owns: they went with the table. */
const beforeRows: readonly string[] = ["TABLE", "SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT"];

const afterRows: readonly string[] = [
  "SEQUENCE SET",
  "CONSTRAINT",
  "INDEX",
  "TABLE ATTACH",
  "INDEX ATTACH",
  "FK CONSTRAINT",
  "STATISTICS",
  "RULE",
  "TRIGGER",
  "ROW SECURITY",
  "POLICY",
  "COMMENT",
  "ACL",
];

/** What hangs on a table's parts and not on the table itself. */
const hangingKinds: ReadonlySet<string> = new Set([
  "SEQUENCE OWNED BY",
  "SEQUENCE SET",
  "COMMENT",
  "ACL",
  "INDEX ATTACH",
]);

/** pg_restore says the owner by itself; a definition does not. */
const ownedKinds: Readonly<Record<string, string>> = { TABLE: "table", SEQUENCE: "sequence" };

const isOfIdentity = ({ kind, definition }: TocEntry): boolean =>
  kind === "SEQUENCE" && /^\s*ALTER TABLE/.test(definition);

const nameOf = ({ schema, tag }: TocEntry): string => `${quoteName(schema)}.${quoteName(tag)}`;

const statements = (entry: TocEntry): readonly string[] => {
  const { definition, kind, owner } = entry;
  const word = ownedKinds[kind];
  const owned = word !== undefined && !isOfIdentity(entry);
  return [definition.trim(), ...(owned ? [`alter ${word} ${nameOf(entry)} owner to ${quoteName(owner)};`] : [])];
};

const inOrder = (entries: readonly TocEntry[], kinds: readonly string[]): readonly TocEntry[] =>
  entries.filter(({ kind }) => kinds.includes(kind)).toSorted((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));

/** The entries that make the table, and those that were lost with it and are somebody else's. */
const partsOf = (entries: readonly TocEntry[], table: TocEntry) => {
  const hangOn = (others: readonly TocEntry[]): readonly TocEntry[] => {
    const ids = new Set(others.map(({ dumpId }) => dumpId));
    return entries.filter(({ dependencies, kind }) => kind !== "TABLE DATA" && dependencies.some((id) => ids.has(id)));
  };
  const isOwn = ({ kind, tag }: TocEntry): boolean =>
    [...beforeRows, ...afterRows].includes(kind) && (kind !== "FK CONSTRAINT" || tag.startsWith(`${table.tag} `));
  const direct = hangOn([table]);
  const parts = direct.filter(isOwn);
  const hanging = hangOn(parts).filter((entry) => hangingKinds.has(entry.kind) && !parts.includes(entry));
  const made = [table, ...parts, ...hanging];
  return { made, lost: [...new Set([...direct, ...hangOn(parts)])].filter((entry) => !made.includes(entry)) };
};

/**
 * @param data the archive's entry of the table, or of its rows
 * @returns null when the archive does not define it
 */
export const droppedTable = (
  entries: readonly TocEntry[],
  data: Pick<TocEntry, "oid">,
  label: string,
): DroppedTable | null => {
  const table = entries.find(({ kind, oid }) => kind === "TABLE" && oid === data.oid);
  if (table === undefined) return null;
  const { made, lost } = partsOf(entries, table);
  return {
    label,
    qualified: nameOf(table),
    before: inOrder(made, beforeRows).flatMap(statements),
    after: inOrder(made, afterRows).flatMap(statements),
    lost: lost.map(({ kind, tag }) => `${kind === "FK CONSTRAINT" ? "foreign key" : kind.toLowerCase()} ${tag}`),
  };
};
