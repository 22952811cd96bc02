/** The version of a server, and which ones are supported. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { Session } from "./session.ts";

export type ServerVersion = { readonly version: string; readonly major: number };

/** xid8 and DROP DATABASE ... WITH (FORCE) came with 13. */
const oldestMajor = 13;

/** @throws RefloatError program.version when the server is too old */
export const readServerVersion = async (session: Session): Promise<ServerVersion> => {
  const [row] = await session.query<{ version: string; number: number }>(
    "select split_part(current_setting('server_version'), ' ', 1) as version, current_setting('server_version_num')::int as number",
  );
  const version = row?.version ?? "unknown";
  const major = Math.trunc((row?.number ?? 0) / 10_000);
  if (major < oldestMajor) {
    throw new RefloatError(
      "program.version",
      `the server is PostgreSQL ${version}; Refloat needs ${oldestMajor} or newer`,
      { hint: "upgrade the server; older ones get no security fixes either" },
    );
  }
  return { version, major };
};
