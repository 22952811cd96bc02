/**
 * What a server has left out of a base backup that it sent: it follows no links but those of tablespaces, and only warns of each. A copy without a database's
 * files starts, and its rows are gone.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import { isEmptied, isOfServer } from "./folder-survey.ts";

/** `skipping special file "./base/16384"`, in whatever language: a path in whatever quotes. Of a tablespace it is absolute. */
const namedPath = /["«»„“]\s*(?:\.\/+(?<within>.+?)|(?<absolute>\/.+?))\s*["»«”“]/su;

/**
 * @param warnings of the server @param stored paths within the backup
 * @returns what a person is told @throws RefloatError source.unsupported where data is left out
 */
export const judgeLeftOut = (warnings: readonly string[], stored: ReadonlySet<string>): readonly string[] => {
  const others: string[] = [];
  // A server that tells how far it is goes through the folder twice.
  for (const warning of new Set(warnings)) {
    const { within, absolute } = namedPath.exec(warning)?.groups ?? {};
    const path = within ?? absolute;
    // It speaks of something that came all the same.
    if (path === undefined || stored.has(path)) continue;
    const isData = absolute !== undefined || (isOfServer(path) && !isEmptied(path.split("/")[0] ?? ""));
    if (!isData) {
      others.push(path);
      continue;
    }
    throw new RefloatError(
      "source.unsupported",
      `${absolute ?? `${path} of the data folder`} is a link, or no plain file: what lies behind it is in no base backup`,
      {
        state: "no point was made",
        hint: `move it back into the data folder, or into a tablespace; the server says: ${warning}`,
      },
    );
  }
  return others.length === 0
    ? []
    : [
        `links and special files of the data folder are not in the point, since the server does not send them: ${others.join(", ")}`,
      ];
};
