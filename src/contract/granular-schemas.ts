/** What browse, find, diff and extract answer with `--json`. */
import { z } from "zod";

export const entryFactsSchema = z.object({
  /** Below the component's root, as it is, control characters and all; U+FFFD for what is not UTF-8. */
  path: z.string(),
  /** The exact bytes, only where `path` does not hold them. */
  pathBase64: z.string().optional(),
  type: z.enum(["file", "dir", "symlink", "dev", "chardev", "fifo", "socket", "irregular"]),
  mode: z.int().nonnegative(),
  uid: z.number(),
  gid: z.number(),
  user: z.string().optional(),
  group: z.string().optional(),
  sizeBytes: z.number().nonnegative(),
  modifiedAt: z.string(),
  linkTarget: z.string().optional(),
  linkTargetBase64: z.string().optional(),
  /** Equal ids, equal content: its SHA-256, or `list-` and the SHA-256 over the ids of its pieces. */
  contentId: z.string().optional(),
  /** Equal ids, and everything below is equal. */
  treeId: z.string().optional(),
});

export const tableFactsSchema = z.object({
  name: z.string(),
  rows: z.number().nullable(),
  sizeBytes: z.number().nullable(),
  sha256: z.string().nullable(),
});

export const pointNameSchema = z.object({ id: z.string(), service: z.string(), consistentAt: z.string() });

const place = { point: pointNameSchema, component: z.string(), driver: z.string() };

export const browseSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("point"),
    point: pointNameSchema,
    /** In the order of recovery. */
    components: z.array(
      z.object({
        name: z.string(),
        wave: z.int().positive(),
        driver: z.string(),
        path: z.string(),
        sizeBytes: z.number(),
        counts: z.record(z.string(), z.number()),
        versions: z.record(z.string(), z.string()),
        missing: z.boolean(),
      }),
    ),
  }),
  z.object({ kind: z.literal("tables"), ...place, tables: z.array(tableFactsSchema) }),
  z.object({ kind: z.literal("table"), ...place, table: tableFactsSchema }),
  z.object({ kind: z.literal("file"), ...place, at: entryFactsSchema }),
  z.object({
    kind: z.literal("folder"),
    ...place,
    at: entryFactsSchema,
    /** Null with --recursive: then each entry was an event. */
    entries: z.array(entryFactsSchema).nullable(),
    count: z.int().nonnegative(),
  }),
]);

export const extractSchema = z.object({
  point: z.string(),
  component: z.string(),
  what: z.enum(["table", "file", "folder", "link", "special"]),
  /** Absolute; null for standard output. */
  to: z.string().nullable(),
  files: z.int().nonnegative(),
  directories: z.int().nonnegative(),
  sizeBytes: z.number().nonnegative(),
  warnings: z.array(z.string()),
});
