/**
 * Which files of a captured cluster come in full. Of the others only the length is kept: the log brings every page that it changes before it changes it,
 * so that it can be replayed over them, and nothing that is read rests on them.
 */
import type { CapturedFile } from "./captured-files.ts";
import { relationKey } from "./captured-files.ts";

export type Choice = {
  /** OIDs of databases that come with all of their files. */
  readonly databases: ReadonlySet<string>;
  /** Relations, by `relationKey`. */
  readonly relations: ReadonlySet<string>;
  /** Nothing is left out: only for what the log copies from file to file. */
  readonly everything: boolean;
};

export const nothingChosen: Choice = { databases: new Set(), relations: new Set(), everything: false };

export const chooseAlso = (choice: Choice, more: Partial<Choice>): Choice => ({
  databases: new Set([...choice.databases, ...(more.databases ?? [])]),
  relations: new Set([...choice.relations, ...(more.relations ?? [])]),
  everything: choice.everything || more.everything === true,
});

export const isChosen = (
  choice: Choice,
  { relation, sizeBytes }: Pick<CapturedFile, "relation" | "sizeBytes">,
): boolean =>
  relation === null ||
  // Its length is all there is of it.
  sizeBytes === 0 ||
  choice.everything ||
  choice.databases.has(relation.database) ||
  choice.relations.has(relationKey(relation.database, relation.filenode));

/** Relations of which only the length is there, by `relationKey`. */
export const hollowRelations = (choice: Choice, files: readonly CapturedFile[]): ReadonlySet<string> =>
  new Set(
    files.flatMap((file) =>
      file.relation === null || isChosen(choice, file)
        ? []
        : [relationKey(file.relation.database, file.relation.filenode)],
    ),
  );
