/** What `validate --live` says of a tree: whether it can be read, restored beside and switched. Changes nothing. */
import { constants } from "node:fs";
import { access, lstat, realpath } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import type { PreflightReport } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { mountFindings } from "../../platform/postgres/preflight-finding.ts";
import { exchangeAbility } from "../../platform/path-exchange.ts";
import { instancePath, lookAt } from "../../platform/path-names.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { walkTree } from "../../platform/tree-walk.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { subvolumeOf } from "./btrfs-snapshot.ts";
import { type FilesContext, stablePathOf, walkRulesOf } from "./files-options.ts";

type Finding = PreflightReport["findings"][number];

const lookBudgetMs = 5_000;
const countFormat = (value: number): string => value.toLocaleString("en-US");

/** Looks at names and rights for a few seconds; a tree too large for that is told as looked at in part. */
const lookInside = async (context: FilesContext, path: string): Promise<Finding> => {
  const began = context.clock.monotonicMs();
  const unreadable: string[] = [];
  const isRoot = process.getuid?.() === 0;
  let entries = 0;
  let isWhole = true;
  const rules = {
    ...walkRulesOf(context),
    unreadable: (entry: Buffer, code: string) => void unreadable.push(`${entry.toString()} (${code})`),
  };
  for await (const entry of walkTree(path, rules)) {
    entries++;
    if (!isRoot && entry.stats.isFile()) {
      const full = Buffer.concat([Buffer.from(`${path}/`), entry.path]);
      await access(entry.path.length === 0 ? path : full, constants.R_OK).catch(() =>
        unreadable.push(`${entry.path.toString()} (EACCES)`),
      );
    }
    if (context.clock.monotonicMs() - began > lookBudgetMs) {
      isWhole = false;
      break;
    }
  }
  const looked = `${countFormat(entries)} entries${isWhole ? "" : " looked at, there are more"}`;
  if (unreadable.length === 0) return { ok: true, subject: path, found: looked };
  return {
    ok: false,
    subject: path,
    found: `${countFormat(unreadable.length)} of ${looked} cannot be read, such as ${unreadable.slice(0, 3).join(", ")}`,
    hint: "give the user that runs Refloat the right to read them, or exclude them",
    only: "capture",
  };
};

/** Can a restored tree be put beside, and the names be switched? */
const lookBeside = async (context: FilesContext, path: string): Promise<readonly Finding[]> => {
  const found = await lookAt(path);
  const beside = dirname(await instancePath(path, 0));
  const findings: Finding[] = [];
  for (const folder of new Set([beside, dirname(path)])) {
    const writable = await access(folder, constants.W_OK | constants.X_OK).then(
      () => null,
      (error: unknown) => describeSystemError(error),
    );
    findings.push(
      writable === null
        ? { ok: true, subject: folder, found: "a restored tree can be put here" }
        : { ok: false, subject: folder, found: `nothing can be put beside the live tree: ${writable}` },
    );
  }
  if (found.kind === "link")
    return [...findings, { ok: true, subject: path, found: `a link to ${found.text}; it is switched by a new link` }];
  findings.push(...(await mountFindings(path)));
  const ability = await exchangeAbility(context.workDirectory, context.signal);
  findings.push(
    ability.atomic
      ? { ok: true, subject: path, found: "is switched atomically, by renameat2" }
      : {
          ok: true,
          subject: path,
          found: `is switched by two renames, with an instant at which it does not exist: ${ability.why}`,
        },
  );
  return findings;
};

/** Whether one could be taken, without taking it. */
const lookAtSnapshot = async ({ signal, marker }: FilesContext, path: string): Promise<Finding> => {
  const subject = "snapshot";
  try {
    const subvolume = await subvolumeOf(await realpath(path));
    await runProgram("btrfs", ["--version"], { signal, marker });
    await access(subvolume, constants.W_OK);
    return { ok: true, subject, found: `a read-only one of ${subvolume} is taken, and removed after the capture` };
  } catch (error) {
    signal.throwIfAborted();
    const { hint } = error instanceof RefloatError ? error : { hint: undefined };
    const found = error instanceof RefloatError ? error.message : describeSystemError(error);
    return { ok: false, subject, found, ...(hint === undefined ? {} : { hint }), only: "capture" };
  }
};

export const preflightFiles = async (context: FilesContext): Promise<PreflightReport> => {
  const path = await stablePathOf(context);
  const { reload } = context.options;
  const commands = [`read ${path}`];
  const recoveryCommands = reload === undefined ? [] : [reload];
  const user = userInfo().username;
  const needed = process.getuid?.() === 0 ? [] : [`setfacl -R -m u:${user}:rX,d:u:${user}:rX ${path}`];
  const asked = { commands, recoveryCommands, grants: needed };
  try {
    await lstat(path);
  } catch (error) {
    const found = describeSystemError(error);
    return { findings: [{ ok: false, subject: path, found, hint: "is path: spelled right?" }], ...asked };
  }
  try {
    const inside = await lookInside(context, path);
    const grants = inside.ok ? [] : needed;
    const snapshots = context.options.snapshot === undefined ? [] : [await lookAtSnapshot(context, path)];
    return { findings: [inside, ...snapshots, ...(await lookBeside(context, path))], ...asked, grants };
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError) throw error;
    return { findings: [{ ok: false, subject: path, found: describeSystemError(error) }], ...asked };
  }
};
