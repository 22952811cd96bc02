/** One table or database out of a captured server: rows as CSV or as LOAD DATA takes them, or SQL that makes all of it again. */
import type { ByteStream } from "../../../../core/ports/bytes.ts";
import type { ExcerptRequest, Excerpts } from "../../../../core/ports/excerpts.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { formatRows } from "../../dumped-values.ts";
import { capturedServerSchema } from "../captured-server.ts";
import type { ServerContext, ServerOptions } from "../server-options.ts";
import { type ExcerptName, formatExcerptName, parseExcerptName } from "./excerpt-name.ts";
import { dumpDatabase, dumpTable, findTable, readTable } from "./read-wanted.ts";
import type { TemporaryServer } from "./serve-files.ts";
import { openTemporary } from "./temporary-server.ts";

/** Of the server's own making, and nothing in them that is anybody's. */
const hidden = new Set(["sys", "performance_schema"]);

async function* read(
  context: ServerContext,
  { access }: TemporaryServer,
  { table }: ExcerptName,
  { form, stage, warn }: ExcerptRequest,
): ByteStream {
  if (table === null) {
    stage("dumping");
    yield* dumpDatabase(context, access, warn);
    return;
  }
  const { type } = await findTable(access, table);
  if (type === "versioned") warn("the current rows come, and their history does not");
  if (form === "dump") {
    stage("dumping");
    yield* dumpTable(context, access, table);
    return;
  }
  stage("reading its rows");
  const { shape, lines } = await readTable(context, access, table);
  yield* formatRows(
    lines,
    shape.columns.map(({ name }) => name),
    form,
  );
}

export const serverExcerpts: Excerpts<ServerOptions> = {
  databases: ({ facts }) =>
    capturedServerSchema
      .parse(facts.detail)
      .databases.filter((name) => !hidden.has(name))
      .map((database) => formatExcerptName({ database, table: null })),
  kindOf: (typed) => {
    const name = parseExcerptName(typed);
    return name === null ? null : name.table === null ? "database" : "table";
  },
  take: async function* take(context, source, request) {
    const name = parseExcerptName(request.name);
    if (name === null) throw new RefloatError("bug", `${request.name} was taken for a part of a server`);
    if (request.form !== "dump" && name.table === null)
      throw new RefloatError("usage", `${request.name} is a whole database, which is no one stream of rows`, {
        hint: "--dump makes SQL of it, as the client mariadb reads it",
      });
    const server = await openTemporary(context, source, { ...request, name });
    try {
      yield* read(context, server, name, request);
    } finally {
      await server.close();
    }
  },
};
