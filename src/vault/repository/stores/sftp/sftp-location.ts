/** `sftp:user@host:/path` and `sftp://user@host:port//path`, as restic reads them. Knows nothing of ~/.ssh/config. */
import { RefloatError } from "../../../../model/refloat-error.ts";

export type SftpLocation = {
  /** As it was written. */
  readonly text: string;
  /** A name that ~/.ssh/config may know, or an address. */
  readonly host: string;
  readonly user: string | undefined;
  readonly port: number | undefined;
  /** Relative to where the server puts its user, unless it begins with a slash. */
  readonly path: string;
};

const example = "sftp:user@host:/srv/vault, or sftp://user@host:2222//srv/vault with a port";

const refuse = (text: string, why: string): RefloatError =>
  new RefloatError("vault.unsupported", `"${text}" is no place for a vault: ${why}`, {
    hint: `write ${example}`,
  });

const short = /^sftp:(?:(?<user>[^@:/]+)@)?(?<host>[^@:/]+):(?<path>.+)$/;

/** @throws RefloatError vault.unsupported */
export const parseSftpLocation = (text: string): SftpLocation => {
  const safeHost = (host: string): string => {
    // It becomes an argument of ssh, and a part of what a ProxyCommand runs.
    if (!/^[\w:][\w.:%-]*$/.test(host)) throw refuse(text, `"${host}" is no host`);
    return host;
  };
  const clean = (path: string): string => {
    if (path.startsWith("~"))
      throw refuse(text, "a path with ~ is not expanded; leave it out, the home folder is meant");
    if (path.split("/").includes("..")) throw refuse(text, "its path has .. in it");
    return path.replace(/(?<=.)\/+$/, "");
  };
  if (!text.startsWith("sftp://")) {
    const found = short.exec(text)?.groups;
    if (found?.host === undefined || found.path === undefined) throw refuse(text, "it names no host and path");
    return { text, host: safeHost(found.host), user: found.user, port: undefined, path: clean(found.path) };
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse(text, "it cannot be read");
  }
  // It would stand in refloat.yaml, in logs and in the list of processes.
  if (url.password !== "") throw refuse(text.replace(/:[^:@/]*@/, ":...@"), "a password does not belong there");
  const path = decodeURIComponent(url.pathname).slice(1);
  if (url.hostname === "" || path === "") throw refuse(text, "it names no host and path");
  return {
    text,
    host: safeHost(url.hostname.replace(/^\[|\]$/g, "")),
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    port: url.port === "" ? undefined : Number(url.port),
    path: clean(path),
  };
};
