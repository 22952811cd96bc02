/** The workbench of one command: opened when it is first needed, closed at the end, with unfinished runs told on the way in. */
import type { Workbench } from "../core/ports/workbench.ts";
import { tellAuditBacklog } from "./audit-notice.ts";
import { createApprover } from "./approver.ts";
import { createAttendant } from "./attendant.ts";
import {
  findConfigFile,
  type GlobalOptions,
  logTarget,
  rateLimits,
  stateDirectory,
  vaultInstant,
} from "./global-options.ts";
import type { Output } from "./output.ts";
import type { OpenWorkbench, Shell } from "./shell.ts";
import { passwordOrigin, vaultPassword } from "./vault-password.ts";
import { tellUndelivered } from "./notify-notice.ts";
import { tellUnfinishedRuns } from "./unfinished-notice.ts";

export type LazyWorkbench = {
  readonly open: () => Promise<Workbench>;
  /** Closes it if it was opened. */
  readonly close: () => Promise<void>;
};

export type LazyWorkbenchOptions = {
  readonly shell: Shell;
  readonly global: GlobalOptions;
  readonly output: Output;
  /** The run that the command itself is about: the person knows of it. */
  readonly about: number | null;
  readonly tellsRuns: boolean;
};

export const lazyWorkbench = ({ shell, global, output, about, tellsRuns }: LazyWorkbenchOptions): LazyWorkbench => {
  let opened: Promise<OpenWorkbench> | undefined;
  const begin = async (): Promise<OpenWorkbench> => {
    const workbench = await shell.createWorkbench({
      configFile: await findConfigFile(global, shell),
      vault:
        global.vault === null
          ? null
          : {
              url: global.vault,
              password: () => vaultPassword(global, shell, output),
              passwordFrom: passwordOrigin(global, shell),
            },
      stateDirectory: stateDirectory(global, shell),
      log: logTarget(global, shell),
      verbose: global.verbose,
      limits: rateLimits(global),
      cache: global.cache,
      vaultAsOf: vaultInstant(global),
      approver: createApprover(shell, global, output),
      attendant: createAttendant(shell, output),
    });
    if (tellsRuns) await tellUnfinishedRuns(workbench.bench, output, about);
    return workbench;
  };
  return {
    open: async () => (await (opened ??= begin())).bench,
    close: async () => {
      if (opened === undefined) return;
      // One that could not be opened has nothing to close, and its error was told by who asked for it.
      const workbench = await opened.catch(() => null);
      if (workbench === null) return;
      await tellUndelivered(workbench.bench, output);
      // Into the past nothing is brought: that is what was asked for.
      if (global.vaultAsOf === null) await tellAuditBacklog(workbench.bench, output);
      await workbench.close();
    },
  };
};
