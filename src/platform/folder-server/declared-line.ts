/** The lines `start:` and `stop:` by which people's own machinery (systemd, a container) starts and stops a server. */
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../bind-command.ts";
import { describeEnd, lastLines, runShellLine } from "../shell-line.ts";
import { waitUntil } from "../wait-until.ts";

/** What a line that ended well has set going may still take. */
const waitMs = 60_000;

type DeclaredLine = {
  readonly what: "start" | "stop";
  readonly line: string;
  /** Is what it is for reached? A line that fails and reaches it has not failed. */
  readonly isReached: () => Promise<boolean>;
};

/** Runs it and waits until its aim is reached. @throws RefloatError fence.failed of a stop, target.failed of a start */
export const runDeclaredLine = async (
  context: Pick<DriverContext, "component" | "bind" | "clock" | "signal" | "marker">,
  { what, line, isReached }: DeclaredLine,
): Promise<void> => {
  const { component, bind, signal, marker } = context;
  const result = await runShellLine(await bindCommand(bind, line, `${what} of ${component}`), {
    signal,
    marker,
    mayLeaveDaemon: true,
  });
  if (await waitUntil(context, waitMs, isReached)) return;
  const end = describeEnd(result);
  const { code, found } = {
    start: { code: "target.failed", found: "no server runs in its data folder" },
    stop: { code: "fence.failed", found: "its server still runs" },
  }[what] as { code: "target.failed" | "fence.failed"; found: string };
  const message =
    end === null
      ? `the ${what} command of ${component} ended well, and ${found}`
      : `the ${what} command of ${component} failed (${end}): ${lastLines(result.output, 3)}`;
  throw new RefloatError(code, message, { hint: `does ${what}: ${what} the server of this data folder?` });
};
