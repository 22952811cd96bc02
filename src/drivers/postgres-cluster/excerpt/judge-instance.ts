/** Does a temporary server have all that what is wanted rests on, or which files did it lack? */
import { nearestWord } from "../../../core/declaration/nearest-word.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { sqlStateOf } from "../../../platform/postgres/server-errors.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import type { CapturedDetail } from "../cluster-facts.ts";
import { timelineSql } from "../position.ts";
import { requireReplayed } from "../replay-end.ts";
import type { Choice } from "./choose-files.ts";
import { formatDatabase } from "./excerpt-name.ts";
import type { Attempt, Instance } from "./instance.ts";
import { type Wanted, findWanted, systemKeys } from "./wanted-relations.ts";

export type Verdict =
  | { readonly kind: "whole"; readonly wanted: Wanted }
  | { readonly kind: "lacking"; readonly more: Partial<Choice> };

const lacking = (more: Partial<Choice>): Verdict => ({ kind: "lacking", more });

export const databaseNamed = ({ databases }: CapturedDetail, name: string) =>
  databases.find((one) => one.name === name);

export const unknownDatabase = (name: string, { databases }: CapturedDetail): RefloatError => {
  const names = databases.map((one) => one.name);
  const near = nearestWord(name, names);
  return new RefloatError("point.unknown", `the cluster has no database ${name} then`, {
    hint:
      near === undefined
        ? `at the capture it had ${names.map(formatDatabase).join(", ")}`
        : `did you mean "${formatDatabase(near)}"?`,
  });
};

const noSuchDatabase = "3D000";

/**
 * One that does not answer has catalogs that are not there: its files were copied from hollow ones, or the capture's own catalogs did not tell which they are.
 * @returns the session, or what was lacking for one @throws the server's words where nothing is hollow
 */
export const enterDatabase = async (
  { context, detail, name }: Attempt,
  instance: Instance,
  choice: Choice,
): Promise<Session | (Verdict & { readonly kind: "lacking" })> => {
  try {
    return await instance.connect(name.database);
  } catch (error) {
    context.signal.throwIfAborted();
    if (sqlStateOf(error) === noSuchDatabase) throw unknownDatabase(name.database, detail);
    if (choice.everything) throw error;
    const known = databaseNamed(detail, name.database);
    const isTried = known === undefined || choice.databases.has(known.oid);
    return { kind: "lacking", more: isTried ? { everything: true } : { databases: new Set([known.oid]) } };
  }
};

/** @throws RefloatError log.damaged, vault.* */
const requireAllReplayed = async (
  session: Session,
  { place }: Instance,
  { detail, request: { replay } }: Attempt,
): Promise<void> => {
  if (replay === null) return;
  const [row] = await session.query<{ timeline: number }>(`select ${timelineSql} as timeline`);
  await requireReplayed(place.data, row?.timeline ?? 0, replay, detail.walSegmentBytes);
};

/** @throws RefloatError point.unknown, usage, source.unsupported as `findWanted`, log.damaged */
export const judgeInstance = async (
  session: Session,
  attempt: Attempt,
  instance: Instance,
  choice: Choice,
): Promise<Verdict> => {
  const { detail, name } = attempt;
  const [row] = await session.query<{ oid: string }>(
    "select oid::text as oid from pg_catalog.pg_database where datname = current_database()",
  );
  const oid = row?.oid ?? "";
  // The log has made it, maybe as a copy of another.
  if (!choice.everything && !detail.databases.some((one) => one.oid === oid)) return lacking({ everything: true });
  const missing = (keys: ReadonlySet<string>): ReadonlySet<string> =>
    new Set([...keys].filter((key) => instance.hollow.has(key)));
  const system = missing(await systemKeys(session));
  if (system.size > 0) return lacking({ relations: system });
  await requireAllReplayed(session, instance, attempt);
  const { wanted, keys } = await findWanted(session, name);
  const hollow = missing(keys);
  if (hollow.size > 0) return lacking({ relations: hollow });
  // It had another name when it was captured.
  const isHalf = wanted.kind === "database" && [...instance.hollow].some((key) => key.startsWith(`${oid}/`));
  return isHalf ? lacking({ databases: new Set([oid]) }) : { kind: "whole", wanted };
};
