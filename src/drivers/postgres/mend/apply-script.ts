/** Runs a script that puts rows back, or takes that back, in one session. */
import { explainFailure, type ScriptFailure } from "../../../core/mend/explain-refusal.ts";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { MendDirection } from "../../../model/mend.ts";
import { copyIn } from "../../../platform/postgres/copy-in.ts";
import { sqlStateOf } from "../../../platform/postgres/server-errors.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { lastWord, rowsChangedState } from "./mend-script.ts";
import { splitScript } from "./split-script.ts";

/** A key that is taken, a reference that leads to nothing, or is led to: what would be refused was left out when the rows were compared. */
const overtaken: ReadonlySet<string> = new Set(["23503", "23505"]);

const failureOf = (error: unknown): ScriptFailure => {
  const state = sqlStateOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (state === rowsChangedState)
    return { kind: "changed", message: message.replace(/^.*refloat: /s, "").replace(/ \(PL\/pgSQL .*$/s, "") };
  // The words of an integrity constraint that refuses a row: the rest of the transaction is undone with it.
  if (state !== undefined && overtaken.has(state)) return { kind: "overtaken", message };
  return state?.startsWith("23") === true ? { kind: "refused", message } : { kind: "other" };
};

/** Closes the session: without its last word nothing of the script is done. @throws RefloatError rows.changed, source.denied, target.failed */
export const applyScript = async (session: Session, script: ByteStream, direction: MendDirection): Promise<void> => {
  let isLast = false;
  try {
    for await (const { sql, rows } of splitScript(script)) {
      isLast = sql.trim() === lastWord;
      await (rows === null ? session.query(sql) : copyIn(session, sql, rows));
    }
  } catch (error) {
    const failure = failureOf(error);
    throw explainFailure(error, isLast && failure.kind === "other" ? { kind: "unheard" } : failure, direction);
  } finally {
    await session.close();
  }
};
