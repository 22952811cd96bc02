/**
 * The line with which the administrator of a PostgreSQL server makes the role that captures and recoveries log in as. It gives the least
 * rights that suffice; which owners the role must be a member of is known only to those who could look into the server.
 */
import { shellWord } from "./shell-word.ts";

export type MissingRole = {
  readonly role: string;
  /** Owners of the databases that it shall recover. */
  readonly owners: readonly string[];
  /** Null for the server's usual one. */
  readonly socketDirectory: string | null;
  readonly port: number;
};

const groups = ["pg_read_all_data", "pg_signal_backend", "pg_read_all_settings"];

export const createRoleCommand = ({ role, owners, socketDirectory, port }: MissingRole): string =>
  [
    "sudo",
    "-u",
    "postgres",
    "createuser",
    ...(socketDirectory === null || socketDirectory === "/var/run/postgresql" ? [] : ["-h", socketDirectory]),
    ...(port === 5432 ? [] : ["-p", String(port)]),
    "--createdb",
    ...[...groups, ...owners].flatMap((group) => ["-g", group]),
    ...(role.startsWith("-") ? ["--"] : []),
    role,
  ]
    .map(shellWord)
    .join(" ");
