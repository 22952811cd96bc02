/**
 * A server that replays its log over hollow files names every page that a record needs and that is not there. Of a hollow relation that is as meant: the page
 * is of nothing that is read. Of any other it says that the capture or its log is damaged.
 */
import { RefloatError } from "../../../model/refloat-error.ts";
import { keyOfPath } from "./captured-files.ts";

/** As `report_invalid_page` of PostgreSQL writes it, in the locale C. */
const invalidPage = /^WARNING: +page (?<page>\d+) of relation (?<path>\S+) (?:is uninitialized|does not exist)$/;

/**
 * @param known hollow relations by `relationKey`, and the OIDs of the databases that the capture has: what the log copies from hollow files into a new
 * database is hollow as well, and is not read either
 * @returns to be given every line of the server @throws RefloatError log.damaged
 */
export const judgeWarnings =
  (known: { readonly hollow: ReadonlySet<string>; readonly databases: ReadonlySet<string> }) =>
  (line: string): void => {
    const { page, path = "" } = invalidPage.exec(line)?.groups ?? {};
    if (page === undefined) return;
    const key = keyOfPath(path) ?? "";
    const [database = ""] = key.split("/");
    const isCopied = key !== "" && known.hollow.size > 0 && !known.databases.has(database);
    if (isCopied || known.hollow.has(key)) return;
    throw new RefloatError(
      "log.damaged",
      `the log changes page ${page} of ${path}, which neither the point nor the log has`,
      {
        hint: "an older point, or a moment before, may still be read",
      },
    );
  };
