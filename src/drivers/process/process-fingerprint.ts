/**
 * Fingerprint of an application: what its live process maps, or what its start command would load; names of its environment with
 * keyed digests. The key never leaves this machine, so a digest in a point tells nobody a password by trying words.
 */
import { createHmac, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, readFile, realpath, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import type { RunningProcess } from "../../core/ports/driver.ts";
import type { Fingerprint, FingerprintDifference } from "../../model/fingerprint.ts";
import { packageSubject } from "../../core/packages/package-subject.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import {
  compareWithThisMachine,
  describeFiles,
  linkedLibraries,
  mappedFiles,
  readOperatingSystem,
} from "../../platform/fingerprint.ts";
import { namedCertificates } from "../../platform/certificates.ts";
import { askedLocale } from "../../platform/locales.ts";
import { readEnvironment } from "../../platform/process-table.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { type ProcessContext, releasePathOf } from "./process-options.ts";

/** What sessions, shells and supervisors put into every environment; it says nothing of the application. */
const incidental =
  /^(PWD|OLDPWD|SHLVL|_|TERM|COLORTERM|LS_COLORS|MAIL|DISPLAY|WINDOWID|EDITOR|PAGER|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MEMORY_PRESSURE_WATCH|MEMORY_PRESSURE_WRITE|NOTIFY_SOCKET|REFLOAT_.*|SSH_.*|XDG_.*|DBUS_.*|SUDO_.*|npm_.*)$/;

const keyBytes = 32;

const digestKey = async (context: ProcessContext): Promise<Buffer> => {
  const path = join(context.stateDirectory, "environment-digest.key");
  const key = randomBytes(keyBytes);
  try {
    await writeFile(path, key, { flag: "wx", mode: 0o600 });
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return readFile(path);
  }
};

const digestEnvironment = async (
  context: ProcessContext,
  variables: Iterable<readonly [string, string]>,
): Promise<Fingerprint["environment"]> => {
  const key = await digestKey(context);
  return [...variables]
    .filter(([name]) => !incidental.test(name))
    .map(([name, value]) => ({ name, digest: createHmac("sha256", key).update(`${name}\0${value}`).digest("hex") }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
};

const unquoted = (word: string): string => word.replace(/^(["'])(.*)\1$/s, "$2");

/** Words of the shell itself, after which no single word is the program. */
const shellWords = /^(cd|set|export|ulimit|umask|trap|if|for|while|case|eval|source|\.|\(|\{)$/;

/** First word of a line that is a program: after `exec` and `NAME=value`. Null where only a shell could tell. */
const programOf = (line: string): string | null => {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const word = words.find((candidate) => candidate !== "exec" && !/^[A-Za-z_][A-Za-z0-9_]*=/.test(candidate));
  if (word === undefined || shellWords.test(word) || word.includes("$")) return null;
  return unquoted(word);
};

const locateProgram = async (program: string, release: string): Promise<string | null> => {
  const folders = program.includes("/")
    ? [isAbsolute(program) ? "/" : release]
    : (baseEnvironment()["PATH"] ?? "").split(":");
  for (const folder of folders) {
    const path = join(folder, program);
    const isProgram = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return realpath(path);
  }
  return null;
};

export type StartProgram =
  | { readonly kind: "found"; readonly path: string }
  | { readonly kind: "missing"; readonly word: string }
  /** The line is one that only a shell understands. */
  | { readonly kind: "unknown" };

export const findStartProgram = async (context: ProcessContext): Promise<StartProgram> => {
  const word = programOf(context.options.start);
  if (word === null) return { kind: "unknown" };
  const path = await locateProgram(word, await releasePathOf(context));
  return path === null ? { kind: "missing", word } : { kind: "found", path };
};

const filesOf = async (context: ProcessContext, live: RunningProcess | null): Promise<readonly string[]> => {
  const mapped = live?.pid === undefined || live.pid === null ? [] : await mappedFiles(live.pid);
  if (mapped.length > 0) return mapped;
  const program = await findStartProgram(context);
  return program.kind === "found" ? [program.path, ...(await linkedLibraries(program.path, context.signal))] : [];
};

const variablesOf = async (
  context: ProcessContext,
  live: RunningProcess | null,
): Promise<Iterable<readonly [string, string]>> => {
  const seen = live?.pid === undefined || live.pid === null ? null : readEnvironment(live.pid);
  if (seen !== null) return seen;
  return Object.entries((await bindEnvironment(context.bind, context.options.environment)).variables);
};

export const takeFingerprint = async (context: ProcessContext, live: RunningProcess | null): Promise<Fingerprint> => {
  const { libraries, packages } = await describeFiles(await filesOf(context, live), context.signal);
  const variables = new Map(await variablesOf(context, live));
  const locale = askedLocale(variables);
  const certificates = await namedCertificates(variables.values());
  return {
    os: await readOperatingSystem(),
    libraries,
    packages,
    environment: await digestEnvironment(context, variables),
    ...(locale === null ? {} : { locale }),
    ...(certificates.length === 0 ? {} : { certificates: [...certificates] }),
  };
};

/** Contract of ComponentDriver.compareFingerprint. A variable that the captured process had and nobody declares would be missing. */
export const compareProcessFingerprint = async (
  context: ProcessContext,
  captured: Fingerprint,
): Promise<readonly FingerprintDifference[]> => {
  const given = new Set([...Object.keys(baseEnvironment()), ...Object.keys(context.options.environment ?? {})]);
  const login = /^(PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|LANGUAGE|LC_[A-Z]+)$/;
  const missing = captured.environment.filter(({ name }) => !given.has(name) && !login.test(name));
  const inPoint = new Set(
    (captured.archives ?? [])
      .filter(({ archive }) => archive !== undefined)
      .flatMap(({ name, architecture }) => [packageSubject(name), packageSubject(`${name}:${architecture}`)]),
  );
  const differences = await compareWithThisMachine(captured, context.clock.now(), context.signal);
  return [
    ...differences.map((one) => (inPoint.has(one.subject) ? { ...one, inPoint: true as const } : one)),
    ...missing.map(({ name }): FingerprintDifference => ({
      subject: `environment variable ${name}`,
      captured: "set",
      target: null,
      severity: "missing",
    })),
  ];
};
