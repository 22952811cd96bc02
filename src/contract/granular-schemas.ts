/** What browse, find, diff and extract answer with `--json`. */
import { z } from "zod";
import { jsonSchema } from "../model/json.ts";

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

export const keyFactsSchema = z.object({
  /** As it is; U+FFFD for what is not UTF-8. */
  key: z.string(),
  /** The exact bytes, only where `key` does not hold them. */
  keyBase64: z.string().optional(),
  /** What is typed before its name: `db1/`, of another database than 0. */
  prefix: z.string(),
  type: z.string(),
  /** Of the value, as it lies in the capture. */
  sizeBytes: z.number().nonnegative(),
  expiresAt: z.string().nullable(),
  /** Whose end removes it, as its own client names it (etcd). */
  lease: z.string().optional(),
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
  /** Each key was an event. */
  z.object({
    kind: z.literal("keys"),
    ...place,
    /** As typed; null for all. */
    pattern: z.string().nullable(),
    count: z.int().nonnegative(),
  }),
  z.object({ kind: z.literal("file"), ...place, at: entryFactsSchema }),
  z.object({
    kind: z.literal("folder"),
    ...place,
    at: entryFactsSchema,
    /** Null with --recursive: then each entry was an event. */
    entries: z.array(entryFactsSchema).nullable(),
    count: z.int().nonnegative(),
    /** Of a whole server's capture: what extract takes out of it by its name. */
    databases: z.array(z.string()).optional(),
  }),
]);

export const extractSchema = z.object({
  point: z.string(),
  component: z.string(),
  what: z.enum(["key", "table", "schema", "database", "file", "folder", "link", "special"]),
  /** Where the log led on from the point; null for the point as it is. */
  replayed: z.object({ to: z.string(), at: z.string() }).nullable().optional(),
  /** Absolute; null for standard output. */
  to: z.string().nullable(),
  files: z.int().nonnegative(),
  directories: z.int().nonnegative(),
  sizeBytes: z.number().nonnegative(),
  warnings: z.array(z.string()),
});

export const foundEventSchema = z.object({
  service: z.string(),
  component: z.string(),
  /** Below the component's root; null for a table. */
  path: z.string().nullable(),
  pathBase64: z.string().optional(),
  table: z.string().nullable(),
  /** One for each different content. */
  versions: z.array(
    z.object({
      /** Newest first. */
      points: z.array(z.string()),
      /** As the newest of the points has it. */
      entry: entryFactsSchema.nullable(),
      table: tableFactsSchema.nullable(),
    }),
  ),
});

export const findSchema = z.object({
  points: z.int().nonnegative(),
  found: z.int().nonnegative(),
  versions: z.int().nonnegative(),
  foldersRead: z.int().nonnegative(),
  /** Folders that further points hold as they are, and that were not read again. */
  foldersSkipped: z.int().nonnegative(),
  /** Files of several pieces that were not compared by the SHA-256 of their content. */
  unhashed: z.int().nonnegative(),
  unreadable: z.array(
    z.object({
      component: z.string(),
      path: z.string(),
      pathBase64: z.string().optional(),
      points: z.array(z.string()),
      reason: z.string(),
    }),
  ),
});

export const differenceEventSchema = z.object({
  component: z.string(),
  kind: z.enum(["added", "removed", "changed", "metadata"]),
  path: z.string(),
  pathBase64: z.string().optional(),
  before: entryFactsSchema.nullable(),
  after: entryFactsSchema.nullable(),
  /** What differs: `content`, `type`, `target`, `mode`, `owner`, `time`. */
  details: z.array(z.string()),
});

const valueDifferenceSchema = z.object({
  key: z.string(),
  before: jsonSchema.nullable(),
  after: jsonSchema.nullable(),
});

export const diffSchema = z.object({
  before: z.string(),
  /** Id of a point, or `live`. */
  after: z.string(),
  service: z.string(),
  declaration: z.array(valueDifferenceSchema),
  components: z.array(
    z.object({
      component: z.string(),
      state: z.enum(["equal", "changed", "added", "removed"]),
      schemaChanged: z.boolean(),
      versions: z.array(valueDifferenceSchema),
      tables: z.array(
        z.object({
          kind: z.enum(["added", "removed", "changed"]),
          name: z.string(),
          before: tableFactsSchema.nullable(),
          after: tableFactsSchema.nullable(),
        }),
      ),
      files: z.object({
        added: z.int(),
        removed: z.int(),
        changed: z.int(),
        metadata: z.int(),
        addedBytes: z.number(),
        removedBytes: z.number(),
      }),
      foldersEqual: z.int(),
      foldersRead: z.int(),
      unseen: z.string().optional().meta({
        description: "Why what is in it was not compared, where what is live is captured as a stream.",
      }),
    }),
  ),
});

/** While it is mounted, and when it has ended. */
export const mountSchema = z.object({
  point: z.string(),
  service: z.string(),
  directory: z.string(),
  components: z.array(z.string()),
  missing: z.array(z.string()),
});
