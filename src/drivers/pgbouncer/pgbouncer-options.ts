/** The keys of a `pgbouncer` cutover entry. */
import { isIP } from "node:net";
import { z } from "zod";
import { parseDuration } from "../../core/time/duration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { connectionUrlSchema, passwordReferenceSchema } from "../../platform/postgres/connection-keys.ts";

/** Above this a step that waits for it would take too long, and clients would not wait either. */
const longestDrainMs = 60_000;
const isDrain = (text: string): boolean => {
  const ms = parseDuration(text);
  return ms !== undefined && ms >= 0 && ms <= longestDrainMs;
};

export const pgbouncerOptionsSchema = z
  .strictObject({
    pgbouncer: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+$/, "write the name of a database as pgbouncer.ini has it, such as shop")
      .refine((name) => name !== "pgbouncer", "pgbouncer is the console itself: name the database of your clients")
      .meta({ description: "Entry of [databases] that clients connect to: shop." }),
    console: connectionUrlSchema(
      "Admin console, as a user of admin_users: postgres://pgbouncer@127.0.0.1:6432/pgbouncer.",
    ),
    password: passwordReferenceSchema,
    file: z.string().regex(/^\//, "write an absolute path").meta({
      description:
        "File that holds the entry: pgbouncer.ini, or one that it takes in by %include. Host and port are rewritten.",
    }),
    drain: z
      .string()
      .refine(isDrain, "write a time up to 60s, such as 5s")
      .default("5s")
      .meta({ description: "How long transactions under way may take to end before their clients are cut off." }),
    to: z.string().optional().meta({ description: "Address of the server after the cutover, such as ${db.address}." }),
  })
  .meta({
    description: "Clients of PostgreSQL come by one database of a PgBouncer, and are held without being cut off.",
  });
export type PgbouncerOptions = z.infer<typeof pgbouncerOptionsSchema>;

export const drainMsOf = ({ drain }: PgbouncerOptions): number => parseDuration(drain) ?? 0;

/** A host name, an address, or the folder of a Unix socket. */
export type ServerPlace = { readonly host: string; readonly port: number };

export const placeText = ({ host, port }: ServerPlace): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;

/** `db-2.example.com:5432`, `[::1]:5432`, `/run/postgresql:5432`. @throws RefloatError config.invalid */
export const readPlace = (text: string): ServerPlace => {
  const [, six, plain, port = ""] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+|\/[A-Za-z0-9._/-]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = six ?? plain ?? "";
  const isGood = six === undefined ? host !== "" : isIP(six) === 6;
  if (isGood && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new RefloatError(
    "config.invalid",
    `clients cannot be directed to "${text}": PgBouncer wants a host and a port`,
    {
      hint: "write to: ${db.address}, or db-2.example.com:5432",
    },
  );
};
