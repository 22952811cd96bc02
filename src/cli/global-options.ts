/** The options that every command takes, and what they mean together with the environment: flag before environment before default. */
import { access } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseAt } from "../core/time/at-expression.ts";
import { systemClock } from "../platform/system-clock.ts";
import { defaultStateDirectory } from "../platform/state-directories.ts";
import { parseByteSize } from "../core/text/byte-size.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { OptionDefinition } from "./command.ts";
import type { RateLimits, Shell } from "./shell.ts";

export const globalOptionDefinitions: readonly OptionDefinition[] = [
  {
    name: "config",
    value: "FILE",
    about: "the file to read (else REFLOAT_CONFIG, ./refloat.yaml, /etc/refloat/refloat.yaml)",
    completes: "files",
  },
  {
    name: "vault",
    value: "URL",
    about: "work from this vault alone, without a file: what is declared comes from its points (break-glass)",
    completes: "files",
  },
  {
    name: "password-file",
    value: "FILE",
    about: "with --vault: where its password or recovery key stands (else REFLOAT_PASSWORD, else it is asked for)",
    completes: "files",
  },
  {
    name: "state",
    value: "DIR",
    about: "where journal and runs are kept (else REFLOAT_STATE; /var/lib/refloat for root, else under XDG_STATE_HOME)",
    completes: "files",
  },
  { name: "json", about: "answer with one JSON object as the last line; long commands stream events before it" },
  { name: "no-color", about: "no colours (else NO_COLOR)" },
  { name: "yes", about: "do not ask" },
  {
    name: "log",
    value: "FILE",
    about: "append a log in JSON lines to this file, or - for standard error",
    completes: "files",
  },
  {
    name: "limit-upload",
    value: "RATE",
    about: "send the vault at most this much in a second, as 5MB (else vault.limit of the file)",
  },
  { name: "limit-download", value: "RATE", about: "take at most this much in a second from the vault" },
  { name: "no-cache", about: "keep no copies of a remote vault's indexes and trees (else under XDG_CACHE_HOME)" },
  {
    name: "vault-as-of",
    value: "TIME",
    about:
      "read the vault as it was then, whatever was deleted or overwritten since (a bucket with versions); writes nothing to it",
  },
  { name: "verbose", about: "log in detail (to standard error unless --log says where)" },
];

export type GlobalOptions = {
  readonly config: string | null;
  /** Works from this vault alone, without a file. */
  readonly vault: string | null;
  readonly passwordFile: string | null;
  readonly state: string | null;
  readonly json: boolean;
  readonly color: boolean;
  readonly yes: boolean;
  readonly log: string | null;
  readonly verbose: boolean;
  /** As written; null for what the file says. */
  readonly limitUpload: string | null;
  readonly limitDownload: string | null;
  readonly cache: boolean;
  /** As written; null for the vault as it is. */
  readonly vaultAsOf: string | null;
};

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** @param raw what the parser found: `{ config: "x", json: true, color: false }` */
export const readGlobalOptions = (raw: Readonly<Record<string, unknown>>, shell: Shell): GlobalOptions => ({
  config: textOrNull(raw["config"]),
  vault: textOrNull(raw["vault"]),
  passwordFile: textOrNull(raw["passwordFile"]),
  state: textOrNull(raw["state"]),
  json: raw["json"] === true,
  color: raw["color"] !== false && !isSet(shell.environment["NO_COLOR"]),
  yes: raw["yes"] === true,
  log: textOrNull(raw["log"]),
  verbose: raw["verbose"] === true,
  limitUpload: textOrNull(raw["limitUpload"]),
  limitDownload: textOrNull(raw["limitDownload"]),
  cache: raw["cache"] !== false,
  vaultAsOf: textOrNull(raw["vaultAsOf"]),
});

/** An empty variable counts as not set, as no-color.org asks. */
const isSet = (value: string | undefined): value is string => value !== undefined && value !== "";

export const stateDirectory = (global: GlobalOptions, shell: Shell): string => {
  const fromEnvironment = shell.environment["REFLOAT_STATE"];
  if (global.state !== null) return resolve(shell.currentDirectory, global.state);
  if (isSet(fromEnvironment)) return resolve(shell.currentDirectory, fromEnvironment);
  return defaultStateDirectory();
};

/** The first that exists; where none does, the place where a newcomer's file would be. */
export const findConfigFile = async (global: GlobalOptions, shell: Shell): Promise<string> => {
  const wanted = wantedConfigFile(global, shell);
  if (wanted !== defaultConfigFile(shell) || (await pathExists(wanted))) return wanted;
  const installed = "/etc/refloat/refloat.yaml";
  return (await pathExists(installed)) ? installed : wanted;
};

/** What flag and environment name, else the file in the folder where the command was given. */
export const wantedConfigFile = (global: GlobalOptions, shell: Shell): string => {
  const fromEnvironment = shell.environment["REFLOAT_CONFIG"];
  if (global.config !== null) return resolve(shell.currentDirectory, global.config);
  return isSet(fromEnvironment) ? resolve(shell.currentDirectory, fromEnvironment) : defaultConfigFile(shell);
};

const defaultConfigFile = ({ currentDirectory }: Shell): string => join(currentDirectory, "refloat.yaml");

export const pathExists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** @returns bytes in a second, by flag; undefined where none is given @throws RefloatError usage */
export const rateLimits = ({ limitUpload, limitDownload }: GlobalOptions): RateLimits => {
  const rate = (flag: string, text: string | null): number | undefined => {
    if (text === null) return undefined;
    const bytes = parseByteSize(text);
    if (bytes !== undefined) return bytes;
    throw new RefloatError("usage", `--${flag} cannot be "${text}"`, {
      hint: "a rate is a number of bytes in a second with its unit, such as 500kB or 5MB",
    });
  };
  const upload = rate("limit-upload", limitUpload);
  const download = rate("limit-download", limitDownload);
  return { ...(upload === undefined ? {} : { upload }), ...(download === undefined ? {} : { download }) };
};

/** @throws RefloatError time.unclear */
export const vaultInstant = ({ vaultAsOf }: GlobalOptions): Date | null => {
  if (vaultAsOf === null) return null;
  const at = parseAt(vaultAsOf, systemClock.now(), Intl.DateTimeFormat().resolvedOptions().timeZone);
  if (at.kind === "instant") return new Date(at.instant);
  throw new RefloatError("time.unclear", `--vault-as-of cannot be "${vaultAsOf}": it is a time, not a point`, {
    hint: 'a time before the harm: "2 hours ago", 14:05, 2026-11-20T14:05:00Z',
  });
};

export const logTarget = (global: GlobalOptions, shell: Shell): string | null => {
  if (global.log === "-") return "-";
  if (global.log !== null) return resolve(shell.currentDirectory, global.log);
  return global.verbose ? "-" : null;
};
