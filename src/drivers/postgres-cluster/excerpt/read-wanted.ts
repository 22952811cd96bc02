/** Rows by the server's own COPY, or an archive by pg_dump of the server's version. Neither reads an index of a table: those are not there. */
import { join } from "node:path";
import { execa } from "execa";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { RowFormat } from "../../../core/ports/driver.ts";
import { applicationName } from "../../../platform/postgres/application-name.ts";
import type { ConnectionTarget } from "../../../platform/postgres/connection-target.ts";
import { copyOut } from "../../../platform/postgres/copy-out.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { programError } from "../../../platform/subprocess.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { asOwner } from "../../../platform/folder-server/folder-owner.ts";
import type { ServerPlace } from "./temporary-server.ts";
import type { Wanted, WantedTable } from "./wanted-relations.ts";

/** As pg_dump has them, so that values come the same way whatever a database or role sets. */
const sessionSql = `
  set search_path = pg_catalog; set row_security = off; set datestyle = iso; set intervalstyle = postgres; set extra_float_digits = 3;
  set synchronize_seqscans = off; set default_transaction_read_only = on`;

/** In the encoding of the database. @param where a condition on its rows; null for all of them @throws what the server says */
export async function* readRows(
  session: Session,
  table: WantedTable,
  format: RowFormat,
  where: string | null = null,
): ByteStream {
  await session.query(sessionSql);
  const [row] = await session.query<{ encoding: string }>("select getdatabaseencoding() as encoding");
  const encoding = `encoding '${row?.encoding ?? "UTF8"}'`;
  const columns = table.columns.length === 0 ? "" : ` (${table.columns.join(", ")})`;
  const holding = table.parts.filter(({ kind }) => kind !== "p");
  let isFirst = true;
  // One that has no partition has a header all the same.
  for (const { sql, kind } of holding.length === 0 ? table.parts.slice(0, 1) : holding) {
    // Only COPY of a plain table goes without the planner, which looks into the indexes of what it reads.
    const source =
      kind === "r" && where === null
        ? `${sql}${columns}`
        : `(select ${table.columns.join(", ")} from ${kind === "r" ? "only " : ""}${sql}${where === null ? "" : ` where ${where}`})`;
    const form = format === "csv" ? `format csv, header ${String(isFirst)}, ` : "";
    const { bytes, seal } = copyOut(session, `copy ${source} to stdout (${form}${encoding})`);
    yield* bytes;
    await seal();
    isFirst = false;
  }
}

/** A pattern of pg_dump that means exactly this name. */
const exactly = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const dumpedBy = (wanted: Wanted): readonly string[] => {
  switch (wanted.kind) {
    case "database":
      return [];
    case "schema":
      return ["-n", exactly(wanted.schema)];
    case "relations":
      return wanted.tables.flatMap((table) => dumpedBy(table));
    case "table":
      return wanted.parts.flatMap(({ schema, name }) => ["-t", `${exactly(schema)}.${exactly(name)}`]);
    default:
      return wanted satisfies never;
  }
};

/** An archive in pg_dump's custom format. @param more options of pg_dump @throws RefloatError program.failed, program.missing */
export async function* readDump(
  context: ClusterContext,
  { programs, owner }: ServerPlace,
  target: ConnectionTarget,
  wanted: Wanted,
  more: readonly string[] = [],
): ByteStream {
  const { prefix, environment } = await asOwner(context, owner, "ours");
  const program = join(programs, "pg_dump");
  const [first = "", ...args] = [...prefix, program, "--format=custom", "--no-password", ...more, ...dumpedBy(wanted)];
  const dump = execa(first, args, {
    cancelSignal: context.signal,
    cwd: "/",
    env: {
      ...environment,
      PGHOST: target.host,
      PGPORT: String(target.port),
      PGUSER: target.user,
      PGDATABASE: target.database,
      PGAPPNAME: applicationName(context.marker),
    },
    extendEnv: false,
    stdin: "ignore",
    buffer: { stdout: false, stderr: true },
  });
  dump.catch(() => undefined);
  try {
    yield* dump.iterable({ binary: true });
    await dump;
  } catch (error) {
    context.signal.throwIfAborted();
    throw programError(program, error);
  } finally {
    dump.kill("SIGKILL");
  }
}
