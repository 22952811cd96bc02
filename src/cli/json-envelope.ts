import type { RefloatError } from "../model/refloat-error.ts";
import type { Plan } from "../model/plan.ts";
import type { CommandResult } from "./command.ts";

const errorData = (e: RefloatError) => ({
  code: e.code,
  message: e.message,
  state: e.state,
  hint: e.hint,
  next: e.nextCommand,
  context: e.context,
  diagnostics: e.diagnostics,
});
export const resultEnvelope = (result: CommandResult) => ({
  schemaVersion: 1,
  kind: result.kind,
  ok: result.exit === 0,
  exit: result.exit,
  data: result.data,
  ...(result.error ? { error: errorData(result.error) } : {}),
});
export const errorEnvelope = (error: RefloatError, command: string | null) => ({
  schemaVersion: 1,
  kind: "error",
  command,
  ok: false,
  exit: error.entry.exit,
  error: errorData(error),
});
export const planEvent = (plan: Plan) => ({ event: "plan", data: plan });
export const progressEvent = (kind: string, event: object) => ({ event: kind, data: event });
