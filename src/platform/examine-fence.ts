/** Could the lines of one entry of `fence:` be run, and what does its proof say now? Its proof alone is run: the others act. */
import type { PreflightReport } from "../core/ports/driver.ts";
import type { FenceRequest } from "../core/ports/workbench.ts";
import { parseDuration } from "../core/time/duration.ts";
import { bindCommand } from "./bind-command.ts";
import { bindEnvironment } from "./bound-environment.ts";
import { lineFault } from "./line-fault.ts";
import { type ShellLineOptions, describeEnd, lastLine, runShellLine } from "./shell-line.ts";

type Finding = PreflightReport["findings"][number];

export const examineFence = async ({ service, fence, bind, signal }: FenceRequest): Promise<PreflightReport> => {
  const { name, environment, timeout } = fence;
  const { variables, secrets } = await bindEnvironment(bind, environment);
  const options = {
    signal,
    marker: `refloat/validate/${service}`,
    environment: variables,
    secrets,
    timeoutMs: parseDuration(timeout ?? "60s") ?? 60_000,
  };
  const findings: Finding[] = [];
  const lines: string[] = [];
  for (const key of ["command", "proof", "release"] as const) {
    const declared = fence[key];
    if (declared === undefined) continue;
    lines.push(declared);
    const line = await bindCommand(bind, declared, `${key} of ${name}`);
    const fault = await lineFault(line, options);
    if (fault !== null) findings.push({ ok: false, subject: key, found: fault, hint: `mend ${key}: of ${name}` });
    else if (key === "proof") findings.push(await askProof(line, options));
    else findings.push({ ok: true, subject: key, found: "can be run; it was not" });
  }
  if (lines.length === 0) findings.push({ ok: true, subject: name, found: "a person is asked whether it is dead" });
  return { findings, commands: [], recoveryCommands: lines, grants: [] };
};

/** A live side that is not proven to be dead is as it should be; whether the proof could ever show it, its own words tell. */
const askProof = async (line: string, options: ShellLineOptions): Promise<Finding> => {
  const result = await runShellLine(line, options);
  const end = describeEnd(result);
  const said = lastLine(result.output);
  const told = said === "" ? "" : `: ${said}`;
  if (end === null) return { ok: true, subject: "proof", found: `passes now: it is fenced off already${told}` };
  // What the shell says of a program that it cannot find or run.
  const cannotTell = result.timedOut || result.exitCode === 126 || result.exitCode === 127;
  return cannotTell
    ? { ok: false, subject: "proof", found: `cannot tell (${end})${told}`, hint: "a cutover would wait for a person" }
    : { ok: true, subject: "proof", found: `fails now (${end}), as it should while nothing is fenced off${told}` };
};
