/**
 * How a client program is told where to go: a file of options that only this user may read, for as long as the program runs. Nothing of
 * the connection stands on a command line, and nothing of the user's own option files is read.
 */
import { tmpdir } from "node:os";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { openNameless } from "../../platform/nameless-file.ts";
import type { MariadbTarget } from "./connection-target.ts";

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const quoteOption = (value: string): string =>
  `"${value.replaceAll(/[\\"\n\r\t]/g, (found) => escapes[found] ?? found)}"`;

const tlsOptions = ({ tls, tlsRootCertificate }: MariadbTarget): Record<string, string> => {
  if (tls === "disable") return {};
  const authority = tlsRootCertificate === null ? {} : { "ssl-ca": tlsRootCertificate };
  return { ssl: "1", ...authority, ...(tls === "verify-full" ? { "ssl-verify-server-cert": "1" } : {}) };
};

/** A server that is stopped takes the connection and never greets: the client would wait for ever. Of the programs only it knows the word. */
const connectTimeoutSeconds = 10;

const optionFileText = (target: MariadbTarget): string => {
  const options: Record<string, string> = {
    user: target.user,
    ...(target.password === null ? {} : { password: target.password.reveal() }),
    ...(target.socket === null
      ? { protocol: "tcp", host: target.host ?? "", port: String(target.port) }
      : { protocol: "socket", socket: target.socket }),
    ...tlsOptions(target),
  };
  const lines = Object.entries(options).map(([name, value]) => `${name}=${quoteOption(value)}\n`);
  return `[client]\n${lines.join("")}[mysql]\nconnect-timeout=${connectTimeoutSeconds}\n`;
};

export type OptionFile = {
  /** The first argument of any client program. */
  readonly argument: string;
  /** For a program of another user, which may not look into our descriptors: it is given this one. */
  readonly descriptor: number;
  readonly remove: () => Promise<void>;
};

/** It has no name, and lives in our descriptor: whoever kills us leaves no password behind. */
export const openOptionFile = async (
  target: MariadbTarget,
  /** Who is to read it, where that is not us. */
  owner: { readonly uid: number; readonly gid: number } | null = null,
): Promise<OptionFile> => {
  const file = await openNameless(tmpdir());
  try {
    await file.writeFile(optionFileText(target));
    if (owner !== null && process.getuid?.() === 0) await file.chown(owner.uid, owner.gid);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    argument: `--defaults-file=/proc/${process.pid}/fd/${file.fd}`,
    descriptor: file.fd,
    remove: async () => file.close(),
  };
};

export const withOptionFile = async <Result>(
  target: MariadbTarget,
  act: (argument: string) => Promise<Result>,
): Promise<Result> => {
  const file = await openOptionFile(target);
  try {
    return await act(file.argument);
  } finally {
    await file.remove();
  }
};

/** The whole environment of a client program. */
export const programEnvironment = (): Readonly<Record<string, string>> => ({ ...baseEnvironment(), LC_ALL: "C" });
