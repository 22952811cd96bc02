/** How a component says which server it means: the keys `url` and `password`, alike for all types that connect to PostgreSQL. */
import { z } from "zod";

export type ConnectionKeys = { readonly url: string; readonly password?: string | undefined };

const withoutReferences = (text: string): string => text.replaceAll(/\$\{[^}]*\}/g, "x");

/** A password that is written out; one that comes by a reference is none. */
export const hasPasswordLiteral = (url: string): boolean =>
  /^[a-z]+:\/\/[^/@?#]*:[^/@?#]*@/.test(withoutReferences(url));

/** The whole text is one reference with a colon: `${file:/etc/shop/db-password}`. */
const isSecretReference = (text: string): boolean => /^\$\{(?:file|env|command):[^}]+\}$/.test(text);

export const connectionUrlSchema = (description: string) =>
  z
    .string()
    .refine(
      (url) => !hasPasswordLiteral(url),
      "a password does not belong in the url: take it out and add `password: ${file:/etc/refloat/db-password}` (or ${env:NAME}, ${command:...})",
    )
    .meta({
      description: `${description} Parameters: host, port, sslmode (disable, require, verify-full), sslrootcert.`,
    });

export const passwordReferenceSchema = z
  .string()
  .refine(
    isSecretReference,
    "a password is kept elsewhere and referred to: ${file:/path}, ${env:NAME} or ${command:...}",
  )
  .optional()
  .meta({ description: "Where the password is: ${file:/path}, ${env:NAME} or ${command:...}." });
