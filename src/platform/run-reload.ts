/** The line `reload:` by which whoever reads a component's files is told that they are others now. */
import type { DriverContext } from "../core/ports/driver.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { bindCommand } from "./bind-command.ts";
import { describeEnd, hintOfEnd, lastLines, runShellLine } from "./shell-line.ts";

/** @throws RefloatError program.failed with its last words */
export const runReload = async (
  { bind, component, signal, marker }: Pick<DriverContext, "bind" | "component" | "signal" | "marker">,
  reload: string | undefined,
): Promise<void> => {
  if (reload === undefined) return;
  const line = await bindCommand(bind, reload, `reload of ${component}`);
  const result = await runShellLine(line, { signal, marker, mayLeaveDaemon: true });
  const end = describeEnd(result);
  if (end !== null)
    throw new RefloatError(
      "program.failed",
      `${component} could not be reloaded by "${reload}": ${end}: ${lastLines(result.output, 5)}`,
      hintOfEnd(result),
    );
};
