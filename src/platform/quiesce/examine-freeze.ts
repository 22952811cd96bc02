/** Could the lines of `quiesce:` be run? Runs neither. */
import { lineWords, linesOf } from "../../core/quiesce/quiesce-lines.ts";
import type { FreezeRequest } from "../../core/ports/freezes.ts";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { bindCommand } from "../bind-command.ts";
import { bindEnvironment } from "../bound-environment.ts";
import { lineFault } from "../line-fault.ts";

export const examineFreeze = async (
  { service, quiesce, bind, signal }: FreezeRequest,
  obstacleTo: () => Promise<string | null>,
): Promise<PreflightReport> => {
  if (quiesce.filesystem !== undefined) return examineFilesystem(quiesce.filesystem, await obstacleTo());
  const { variables, secrets } = await bindEnvironment(bind, quiesce.environment);
  const options = {
    signal,
    marker: `refloat/validate/${service}`,
    environment: { ...variables, REFLOAT_SERVICE: service },
    secrets,
    timeoutMs: 10_000,
  };
  const lines = linesOf(quiesce);
  const findings: PreflightReport["findings"][number][] = [];
  for (const key of ["freeze", "thaw"] as const) {
    const fault = await lineFault(await bindCommand(bind, lines[key], `${key} line`), options);
    findings.push(
      fault === null
        ? { ok: true, subject: key, found: "can be run; it was not" }
        : { ok: false, subject: key, found: fault, hint: `mend ${key}: of quiesce`, only: "capture" },
    );
  }
  return { findings, commands: [lines.freeze, lines.thaw], recoveryCommands: [], grants: [] };
};

const examineFilesystem = (filesystem: string, obstacle: string | null): PreflightReport => {
  const { freeze, thaw } = lineWords({ filesystem });
  const why = obstacle ?? (process.getuid?.() === 0 ? null : "it takes root to freeze a file system");
  const finding =
    why === null
      ? { ok: true, subject: "filesystem", found: `${filesystem} can be frozen; it was not` }
      : {
          ok: false,
          subject: "filesystem",
          found: why,
          hint: "hold the service by its own lines or by a lock instead (docs/consistency.md)",
          only: "capture" as const,
        };
  return { findings: [finding], commands: [freeze, thaw], recoveryCommands: [], grants: [] };
};
