/** What `validate --live` says of an application: release, program, environment, ports, who serves. Changes and starts nothing. */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import type { PreflightReport, RunningProcess } from "../../core/ports/driver.ts";
import { isInstalled } from "../../core/packages/debian-package.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { instancePath } from "../../platform/path-names.ts";
import { readPackages } from "../../platform/packages/package-database.ts";
import { describeProcess, readEnvironment, systemdUnitOf } from "../../platform/process-table.ts";
import { runAsUser } from "../../platform/run-as.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { findFreePort, findLiveProcess } from "./live-process.ts";
import { findLiveRelease } from "./live-release.ts";
import { findStartProgram } from "./process-fingerprint.ts";
import { type ProcessContext, portsOf, releasePathOf } from "./process-options.ts";

type Finding = PreflightReport["findings"][number];

/** An error of ours is a finding; the rest is still asked. */
const asking = async (subject: string, ask: () => Promise<Finding>): Promise<Finding> => {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RefloatError)) throw error;
    const { message, hint } = error;
    return { ok: false, subject, found: message, ...(hint === undefined ? {} : { hint }) };
  }
};

const lookAtRelease = async (context: ProcessContext): Promise<Finding> => {
  const subject = await releasePathOf(context);
  const release = await findLiveRelease(context);
  if (release === null) return { ok: false, subject, found: "there is no release" };
  const { path, label } = release;
  return { ok: true, subject, found: `release ${label}${path === subject ? "" : ` in ${path}`}` };
};

const lookBeside = async (context: ProcessContext): Promise<Finding> => {
  const subject = dirname(await instancePath(await releasePathOf(context), 0));
  return access(subject, constants.W_OK | constants.X_OK).then(
    () => ({ ok: true, subject, found: "a restored release can be put here" }),
    (error: unknown) => ({
      ok: false,
      subject,
      found: `no restored release can be put here: ${describeSystemError(error)}`,
    }),
  );
};

const lookAtCommands = async (context: ProcessContext): Promise<Finding> => {
  const { start, stop, migrate } = context.options;
  for (const line of [start, stop, migrate])
    if (line !== undefined) await bindCommand(context.bind, line, `command "${line}"`);
  const program = await findStartProgram(context);
  if (program.kind === "missing")
    return { ok: false, subject: "start", found: `${program.word} is found neither on the path nor in the release` };
  const found = program.kind === "found" ? program.path : "a line for the shell; its program is not looked up";
  return { ok: true, subject: "start", found };
};

const lookAtEnvironment = async (context: ProcessContext): Promise<Finding> => {
  const { variables, secrets } = await bindEnvironment(context.bind, context.options.environment);
  const count = Object.keys(variables).length;
  return {
    ok: true,
    subject: "environment",
    found: `${count} variables, ${secrets.length === 0 ? "none" : "some"} secret`,
  };
};

const lookAtUser = async (context: ProcessContext, user: string): Promise<Finding> => {
  const other = await runAsUser(user, context.signal);
  return { ok: true, subject: `user ${user}`, found: other === null ? "is the one that runs Refloat" : "is known" };
};

const lookAtPackages = async ({ signal }: ProcessContext): Promise<Finding> => {
  const subject = "packages";
  const { length } = (await readPackages({ root: "/", signal })).filter(isInstalled);
  const found = `dpkg knows ${formatAmount(length, "packages")}, of which those that the application uses are captured`;
  if (process.getuid?.() === 0) return { ok: true, subject, found };
  return { ok: true, subject, found: `${found}; those with files that only root reads are not made again, and named` };
};

const lookAtPorts = async (context: ProcessContext, live: RunningProcess | null): Promise<Finding> => {
  const subject = `ports ${context.options.ports}`;
  const free = await findFreePort(context, live);
  if (free !== null) return { ok: true, subject, found: `${free} is free for the next release` };
  return {
    ok: true,
    subject,
    found: "none is free: a release cannot be tried beside the live one, which must stop before the next one starts",
    hint:
      portsOf(context.options).length === 1 ? "declare a second port, such as ports: 8081-8082" : "free one of them",
  };
};

const lookAtLive = (context: ProcessContext, live: RunningProcess | null): Finding => {
  const subject = `process of ${context.component}`;
  if (live === null || live.pid === null) return { ok: true, subject, found: "none serves at this moment" };
  const found = `process ${describeProcess(live.pid)} serves on port ${live.port ?? "unknown"}`;
  const unit = systemdUnitOf(live.pid);
  const isOurs = readEnvironment(live.pid)?.has("REFLOAT_INSTANCE") === true;
  if (unit === null || isOurs) return { ok: true, subject, found };
  if (context.options.stop !== undefined)
    return { ok: true, subject, found: `${found}, kept running by ${unit}; the recovered one will have no supervisor` };
  return {
    ok: false,
    subject,
    found: `${found}; systemd runs it as ${unit} and may start it again when it is stopped`,
    hint: `declare stop: systemctl stop ${unit}`,
  };
};

export const preflightProcess = async (context: ProcessContext): Promise<PreflightReport> => {
  const { options } = context;
  let live: RunningProcess | null = null;
  const liveFinding = await asking(`process of ${context.component}`, async () => {
    live = await findLiveProcess(context);
    return lookAtLive(context, live);
  });
  const findings = [
    await asking("release", () => lookAtRelease(context)),
    await asking("release", () => lookBeside(context)),
    await asking("commands", () => lookAtCommands(context)),
    await asking("environment", () => lookAtEnvironment(context)),
    ...(options.packages === "captured" ? [await asking("packages", () => lookAtPackages(context))] : []),
    ...(options.user === undefined ? [] : [await asking("user", () => lookAtUser(context, options.user ?? ""))]),
    liveFinding,
    await asking("ports", () => lookAtPorts(context, live)),
  ];
  const commands = [
    `read ${options.release}`,
    "dpkg-query -S FILES",
    "dpkg-query -W PACKAGES",
    ...(options.packages === "captured"
      ? [
          "dpkg --verify PACKAGE",
          "dpkg-query --status PACKAGE",
          "apt-cache show PACKAGE=VERSION",
          "apt-get download PACKAGE=VERSION",
        ]
      : []),
  ];
  const recoveryCommands = [options.migrate, options.stop, options.start].filter((line) => line !== undefined);
  return { findings, commands, recoveryCommands, grants: [] };
};
