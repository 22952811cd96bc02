/** A database that was found, and whether a variable of a process means it. */
import type { FoundDatabase, FoundPostgres, FoundProcess, VariableMeaning } from "./machine-findings.ts";

export type Database = { readonly server: FoundPostgres; readonly database: FoundDatabase };
type DatabaseMeaning = Extract<VariableMeaning, { kind: "database" }>;

export const isLoopback = (host: string): boolean => /^(localhost|127\.[\d.]+|::1|\/.*|)$/.test(host);

export const meaningsOf = (process: FoundProcess): readonly DatabaseMeaning[] =>
  (process.variables ?? []).flatMap(({ meaning }) => (meaning.kind === "database" ? [meaning] : []));

export const matches = (meaning: DatabaseMeaning, { server, database }: Database): boolean =>
  isLoopback(meaning.host) && meaning.port === server.port && meaning.database === database.name;
