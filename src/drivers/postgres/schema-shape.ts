/**
 * A schema reduced to what a dependent can see of it, for comparison between points, and between a point and what was restored
 * from it. The server rewrites expressions when it reads them again (`'a'::character varying` gets other parentheses and
 * casts), so these are left out of the comparison; owners, grants and comments too.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ArchiveToc, TocEntry } from "./archive-toc.ts";

/** Kinds of entries that do not shape what a dependent sees. */
const ignoredKinds = new Set([
  "ACL",
  "BLOB",
  "BLOBS",
  "BLOB METADATA",
  "COMMENT",
  "DATABASE",
  "DATABASE PROPERTIES",
  "DEFAULT ACL",
  "ENCODING",
  "MATERIALIZED VIEW DATA",
  "SEARCHPATH",
  "SECURITY LABEL",
  "SEQUENCE OWNED BY",
  "SEQUENCE SET",
  "STATISTICS DATA",
  "STDSTRINGS",
  "TABLE DATA",
]);

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const castPattern =
  /::(?:character varying|double precision|bit varying|(?:timestamp|time)(?:\(\d\))? with(?:out)? time zone|"(?:[^"]|"")+"|[\w.]+)(?:\(\d+(?:,\d+)?\))?(?:\[\])*/g;

/** Without comments, `\restrict` lines, casts, parentheses and layout. */
export const normaliseDefinition = (definition: string): string =>
  definition
    .replaceAll(/^(?:--|\\(?:un)?restrict).*$/gm, "")
    .replaceAll(castPattern, "")
    .replaceAll(/[()\s]+/g, "");

/** How many objects of each kind, a hash of their names and one of their definitions. */
export const schemaShapeSchema = z.record(
  z.string(),
  z.object({ count: z.int(), names: z.string(), definitions: z.string() }),
);
export type SchemaShape = z.infer<typeof schemaShapeSchema>;

const nameOf = (entry: TocEntry): string => `${entry.schema}\u0000${entry.tag}`;

export const readSchemaShape = (toc: ArchiveToc): SchemaShape => {
  const kinds = new Map<string, TocEntry[]>();
  for (const entry of toc.entries) {
    if (ignoredKinds.has(entry.kind)) continue;
    const known = kinds.get(entry.kind);
    if (known === undefined) kinds.set(entry.kind, [entry]);
    else known.push(entry);
  }
  return Object.fromEntries(
    [...kinds]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, entries]) => {
        const names = entries.map(nameOf).sort();
        const definitions = entries
          .map((entry) => `${nameOf(entry)}\u0000${normaliseDefinition(entry.definition)}`)
          .sort();
        return [
          kind,
          { count: entries.length, names: sha256(names.join("\n")), definitions: sha256(definitions.join("\n")) },
        ];
      }),
  );
};

export const hashSchemaShape = (shape: SchemaShape): string =>
  sha256(
    Object.keys(shape)
      .sort()
      .map((kind) => `${kind} ${shape[kind]?.definitions ?? ""}`)
      .join("\n"),
  );
