/** A table that was dropped, as a point has it: its definition, its triggers, its rows, and which other tables of the point refer to it. Asks no server. */
import { requireLoadable } from "../../../core/mend/loadable-size.ts";
import type { PointSource } from "../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { capturedDetailSchema } from "../captured-detail.ts";
import { type DumpedTable, openDumpedTable, readStatement, requireDefinition } from "../dumped-table.ts";
import { type KeptCode, readKeptCode } from "../marker-table.ts";
import { hasOwnRows } from "../source-tables.ts";
import { type TableDefinition, withoutQuoted } from "../table-definition.ts";

export type DroppedTable = {
  readonly label: string;
  /** A table of the same database as people type it: `db:orders`. */
  readonly typed: (label: string) => string;
  readonly definition: TableDefinition;
  /** Its triggers; others may be among it. */
  readonly code: KeptCode;
  /** Foreign keys of other tables that led to it, as far as the source can tell. */
  readonly referring: readonly { readonly child: string; readonly name: string }[];
  /** Its former rows were kept by the server, and are not in the point. */
  readonly hadHistory: boolean;
  /** Opens its rows, as often as it is called. */
  readonly open: () => Promise<DumpedTable>;
};

const readCode = async ({ tree, captured }: PointSource): Promise<KeptCode> => {
  const path = `${captured.path}/code.json`;
  const file = await tree.entry(path);
  if (file === undefined) throw new RefloatError("point.damaged", `the point has no ${path}`);
  const parts: Uint8Array[] = [];
  for await (const part of tree.content(file)) parts.push(part);
  return readKeptCode(Buffer.concat(parts).toString("utf8"));
};

/** @returns null for what the point has no rows of @throws RefloatError source.unsupported, point.damaged, vault.* */
export const readDropped = async (point: PointSource, label: string): Promise<DroppedTable | null> => {
  const { tree, captured, tables } = point;
  const table = tables.find(({ name }) => name === label);
  const detail = capturedDetailSchema.parse(captured.facts.detail);
  const kept = Object.hasOwn(detail.tables, label) ? detail.tables[label] : undefined;
  if (table === undefined || kept?.kind !== "table") return null;
  if (!hasOwnRows(kept.engine)) {
    throw new RefloatError(
      "source.unsupported",
      `${label} was dropped, and is ${kept.engine}: its rows lie elsewhere`,
      {
        state: "nothing was changed",
        hint: `its definition is in the point: refloat extract POINT:${captured.name}:${kept.file} --stdout`,
      },
    );
  }
  requireLoadable(label, table.sizeBytes);
  const definition = requireDefinition(await readStatement(tree, captured, label));
  const referring: { child: string; name: string }[] = [];
  for (const [child, { kind, engine }] of Object.entries(detail.tables)) {
    if (child === label || kind !== "table" || engine !== "InnoDB") continue;
    const { foreignKeys } = requireDefinition(await readStatement(tree, captured, child));
    for (const { name, parent, parentDatabase } of foreignKeys)
      if (parent === label && (parentDatabase ?? detail.database) === detail.database) referring.push({ child, name });
  }
  return {
    label,
    typed: (name) => `${captured.name}:${name}`,
    definition,
    code: await readCode(point),
    referring,
    hadHistory: withoutQuoted(definition.options).includes("WITH SYSTEM VERSIONING"),
    open: () => openDumpedTable(tree, captured, table),
  };
};
