/** Could the lines of `quiesce:` be run? Reads them as the shell does and looks for what they begin with. Runs neither. */
import type { FreezeRequest } from "../../core/ports/freezes.ts";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { bindCommand } from "../bind-command.ts";
import { bindEnvironment } from "../bound-environment.ts";
import { type ShellLineOptions, lastLine, runShellLine } from "../shell-line.ts";
import { shellWord } from "../../core/text/shell-word.ts";

/** What a line begins with, behind variables that it sets; null where only the shell can tell. */
const firstWord = (line: string): string | null =>
  /^\s*(?:[A-Za-z_]\w*=(?:"[^"$`]*"|'[^']*'|[^\s"'$`;&|()]*)\s+)*([\w./+-]+)(?=$|[\s;&|)])/.exec(line)?.[1] ?? null;

/** @returns what is wrong with it; null when nothing is seen to be */
const faultOf = async (line: string, options: ShellLineOptions): Promise<string | null> => {
  const read = await runShellLine(`/bin/sh -n -c ${shellWord(line)}`, options);
  if (read.exitCode !== 0) return `the shell cannot read it: ${lastLine(read.output)}`;
  const word = firstWord(line);
  if (word === null) return null;
  const found = await runShellLine(`command -v ${shellWord(word)}`, options);
  return found.exitCode === 0 ? null : `there is no program ${word}`;
};

export const examineLines = async ({ service, quiesce, bind, signal }: FreezeRequest): Promise<PreflightReport> => {
  const { variables, secrets } = await bindEnvironment(bind, quiesce.environment);
  const options = {
    signal,
    marker: `refloat/validate/${service}`,
    environment: { ...variables, REFLOAT_SERVICE: service },
    secrets,
    timeoutMs: 10_000,
  };
  const findings: PreflightReport["findings"][number][] = [];
  for (const key of ["freeze", "thaw"] as const) {
    const fault = await faultOf(await bindCommand(bind, quiesce[key], `${key} line`), options);
    findings.push(
      fault === null
        ? { ok: true, subject: key, found: "can be run; it was not" }
        : { ok: false, subject: key, found: fault, hint: `mend ${key}: of quiesce`, only: "capture" },
    );
  }
  return { findings, commands: [quiesce.freeze, quiesce.thaw], recoveryCommands: [], grants: [] };
};
