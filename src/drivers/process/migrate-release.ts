/** Runs the release's own migration against whatever its environment is bound to: restored instances, never the live side. */
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { runAsUser } from "../../platform/run-as.ts";
import { describeEnd, hintOfEnd, lastLines, runShellLine } from "../../platform/shell-line.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import type { ProcessContext } from "./process-options.ts";

const linesShown = 8;
const linesKept = 50;

/** Contract of RuntimeOperations.migrate. */
export const migrateRelease = async (
  context: ProcessContext,
  release: string,
): Promise<{ readonly output: string }> => {
  const { migrate, environment, user: userName } = context.options;
  if (migrate === undefined)
    throw new RefloatError("config.invalid", `${context.component} declares no migrate: command`, {
      hint: "declare the command that brings restored data up to what the release needs",
    });
  const line = await bindCommand(context.bind, migrate, `migrate of ${context.component}`);
  const { variables, secrets } = await bindEnvironment(context.bind, environment);
  const user = userName === undefined ? null : await runAsUser(userName, context.signal);
  const result = await runShellLine(line, {
    signal: context.signal,
    marker: context.marker,
    cwd: release,
    environment: { ...user?.environment, ...variables },
    secrets,
    ...(user === null ? {} : { prefix: user.prefix }),
  });
  const end = describeEnd(result);
  if (end === null) return { output: lastLines(result.output, linesKept) };
  const said = lastLines(result.output, linesShown);
  throw new RefloatError(
    "program.failed",
    `"${migrate}" failed: ${end}${said === "" ? "" : `: ${said}`}`,
    hintOfEnd(result),
  );
};
