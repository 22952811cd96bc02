/** What the value of a variable means, as far as it can be told by its form. Values themselves go no further than this. */
import type { VariableMeaning } from "./machine-findings.ts";

/** Set by logins, shells, systemd and npm: they say nothing of the application. */
const general =
  /^(PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|LANG|LANGUAGE|LC_\w+|TERM|COLORTERM|TZ|TMPDIR|TMP|TEMP|SHLVL|_|MAIL|HOSTNAME|EDITOR|PAGER|DISPLAY|DEBIAN_FRONTEND|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_\w+|NOTIFY_SOCKET|LISTEN_\w+|MAINPID|MANAGERPID|MEMORY_PRESSURE_\w+|RUNTIME_DIRECTORY|STATE_DIRECTORY|LOGS_DIRECTORY|CACHE_DIRECTORY|CONFIGURATION_DIRECTORY|XDG_\w+|SSH_\w+|DBUS_\w+|SUDO_\w+|LS_COLORS|COLOR|npm_\w+|NODE|INIT_CWD|NVM_\w+|REFLOAT_\w+)$/;

export const isGeneralVariable = (name: string): boolean => general.test(name);

const defaultPort = 5432;

const postgresUrl = (text: string, form: "url" | "jdbc"): VariableMeaning => {
  if (!URL.canParse(text)) return { kind: "unknown" };
  const url = new URL(text);
  const database = decoded(url.pathname.replace(/^\//, "")) || decoded(url.searchParams.get("dbname") ?? "");
  if (database === "") return { kind: "unknown" };
  const user = decoded(url.username) || url.searchParams.get("user") || null;
  return {
    kind: "database",
    form,
    host: decoded(url.hostname) || (url.searchParams.get("host") ?? ""),
    port: Number(url.port || (url.searchParams.get("port") ?? defaultPort)),
    database,
    user,
    hasPassword: url.password !== "" || url.searchParams.has("password"),
  };
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/**
 * @param ports that the process listens on
 * @returns `folder` for any absolute path: whether there is such a folder is the caller's to find out
 */
export const meaningOf = (value: string, ports: readonly number[]): VariableMeaning => {
  if (/^\d{1,5}$/.test(value)) return ports.includes(Number(value)) ? { kind: "port" } : { kind: "unknown" };
  if (/^postgres(ql)?:\/\//.test(value)) return postgresUrl(value, "url");
  if (value.startsWith("jdbc:postgresql://")) return postgresUrl(value.slice("jdbc:".length), "jdbc");
  if (/^\/[^:\0]+$/.test(value) && !systemFolder.test(value))
    return { kind: "folder", path: value.replace(/\/+$/, "") };
  return { kind: "unknown" };
};

const systemFolder = /^\/(usr|bin|sbin|lib\w*|proc|sys|dev|run|etc|boot)(\/|$)/;
