/** Tables that were dropped out of the running cluster: what makes them again, out of the point, by a temporary server of only what they need. */
import type { PointSource } from "../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { CopiedRowMending, DroppedTable, TableName } from "../../../platform/postgres/copied-rows.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { formatPlace, formatTable } from "../excerpt/excerpt-name.ts";
import { readDump } from "../excerpt/read-wanted.ts";
import { excerptOf } from "../excerpt/take-excerpt.ts";
import type { WantedPart } from "../excerpt/wanted-relations.ts";
import type { Named } from "./live-names.ts";
import { excerptRequest } from "./with-excerpts.ts";

export type DroppedFromPoint = { readonly table: TableName; readonly dropped: DroppedTable };

/** What `drop ... cascade` takes along and an archive of the table alone does not have. */
const lostSql = `
  select 'foreign key ' || c.relname || ' ' || f.conname as what
    from pg_catalog.pg_constraint f join pg_catalog.pg_class c on c.oid = f.conrelid
   where f.confrelid = $1::regclass and f.contype = 'f' and f.conrelid <> f.confrelid and f.conparentid = 0
   union
  select case v.relkind when 'm' then 'materialized view ' else 'view ' end || v.relname
    from pg_catalog.pg_depend d
    join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::regclass and r.oid = d.objid
    join pg_catalog.pg_class v on v.oid = r.ev_class
   where d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = $1::regclass and v.oid <> $1::regclass
   order by 1`;

const lostWith = async (session: Session, { sql }: WantedPart): Promise<readonly string[]> =>
  (await session.query<{ what: string }>(lostSql, [sql])).map(({ what }) => what);

/** @throws RefloatError source.unsupported */
const requirePlain = (parts: readonly WantedPart[], typed: string): WantedPart => {
  const [part, other] = parts;
  if (part?.kind === "r" && other === undefined) return part;
  throw new RefloatError(
    "source.unsupported",
    `${typed} was dropped, and mend makes only plain tables again: it is ${part?.kind === "m" ? "a materialized view" : "partitioned"}`,
    {
      state: "nothing was changed",
      hint: "refloat extract --dump makes an archive of all of it, for pg_restore",
    },
  );
};

/** @returns null where what the point has of it makes no table @throws RefloatError as `Excerpts.take`: of a name that the point does not know either with those that it knows */
export const readDropped = async (
  context: ClusterContext,
  source: PointSource,
  { database, schema, table }: Named,
  rows: CopiedRowMending,
): Promise<DroppedFromPoint | null> => {
  const typed = formatPlace(database, schema ?? "public", table);
  const request = { ...excerptRequest(context, typed, source.replay), form: "dump" } as const;
  const pieces = excerptOf<DroppedFromPoint | null>(context, source, request, async function* read(...asked) {
    const [session, { name }, { place, end }, wanted] = asked;
    if (wanted.kind !== "table") throw new RefloatError("bug", "a table was asked for");
    const part = requirePlain(wanted.parts, typed);
    const known = (await rows.names(session)).find((one) => one.schema === part.schema && one.name === part.name);
    if (known === undefined) throw new RefloatError("bug", `${formatTable(part.schema, part.name)} has no label`);
    const lost = await lostWith(session, part);
    const target = { ...session.target, database: name.database };
    const dropped = await rows.define(
      readDump(context, place, target, wanted, ["--encoding=UTF8", "--compress=0"]),
      known,
    );
    yield dropped === null ? null : { table: known, dropped: { ...dropped, lost: [...dropped.lost, ...lost] } };
    await session.close();
    await end();
  });
  let found: DroppedFromPoint | null = null;
  for await (const piece of pieces) found = piece;
  return found;
};
