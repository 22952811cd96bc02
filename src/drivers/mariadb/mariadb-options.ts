/** What a person writes under a component of type `mariadb`. Each key is implemented; nothing is parsed and ignored. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { durationTextSchema } from "../../model/declaration.ts";
import { hasPasswordLiteral, passwordReferenceSchema } from "../../platform/postgres/connection-keys.ts";

export const mariadbOptionsSchema = z
  .strictObject({
    url: z
      .string()
      .refine(
        (url) => !hasPasswordLiteral(url),
        "a password does not belong in the url: take it out and add `password: ${file:/etc/refloat/db-password}` (or ${env:NAME}, ${command:...})",
      )
      .meta({
        description:
          "The database behind its stable name: mariadb://user@host:port/database, or mariadb:///database for the local socket. Parameters: socket, sslmode (disable, require, verify-full), sslrootcert.",
      }),
    password: passwordReferenceSchema,
    jobs: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .meta({ description: "Tables that are loaded at the same time at a restore. Default 4." }),
    pitr: durationTextSchema.optional().meta({
      description:
        "How far back any second is to be reached, once `refloat capture SERVICE --continuous` receives the binary log: 7d. `validate --live` then asks for what that needs. A prune keeps the point and the log that this takes; when left out, all log since the oldest point that is kept.",
    }),
  })
  .meta({
    description:
      "One MariaDB database, captured logically from one snapshot; restored beside the live one, switched by renaming all tables at once.",
  });

export type MariadbOptions = z.infer<typeof mariadbOptionsSchema>;

export type MariadbContext = DriverContext<MariadbOptions>;

export const jobsOf = ({ options }: MariadbContext): number => options.jobs ?? 4;
