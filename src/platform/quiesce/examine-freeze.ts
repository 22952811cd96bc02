/** Could the lines of `quiesce:` be run? Runs neither. */
import { linesOf } from "../../core/quiesce/quiesce-lines.ts";
import type { FreezeRequest } from "../../core/ports/freezes.ts";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { bindCommand } from "../bind-command.ts";
import { bindEnvironment } from "../bound-environment.ts";
import { lineFault } from "../line-fault.ts";

export const examineFreeze = async ({ service, quiesce, bind, signal }: FreezeRequest): Promise<PreflightReport> => {
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
