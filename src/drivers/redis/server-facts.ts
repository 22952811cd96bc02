/** What a server says of itself: INFO, the settings that decide what its folder holds, its modules, who watches it. */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { type RedisSession, type Reply, replyOf } from "./redis-session.ts";

/** All sections of INFO that were asked for, as one table of names. */
export type ServerInfo = ReadonlyMap<string, string>;

export const parseInfo = (text: string): ServerInfo =>
  new Map(
    text.split("\n").flatMap((line) => {
      const colon = line.indexOf(":");
      return colon <= 0 || line.startsWith("#") ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const];
    }),
  );

export const readInfo = async (session: RedisSession, ...sections: readonly string[]): Promise<ServerInfo> => {
  const texts: string[] = [];
  for (const section of sections) texts.push(String(await session.ask("INFO", section)));
  return parseInfo(texts.join("\n"));
};

export const numberIn = (info: ServerInfo, name: string): number => Number(info.get(name) ?? 0);

export type KeyCounts = { readonly keys: number; readonly expiring: number };

/** `db0:keys=500,expires=3,avg_ttl=0`: databases that hold nothing are not named. */
export const keyCountsIn = (info: ServerInfo): Readonly<Record<string, KeyCounts>> =>
  Object.fromEntries(
    [...info].flatMap(([name, value]) => {
      const [, keys, expiring] = /^keys=(\d+),expires=(\d+)/.exec(value) ?? [];
      return /^db\d+$/.test(name) && keys !== undefined
        ? [[name, { keys: Number(keys), expiring: Number(expiring) }]]
        : [];
    }),
  );

/** `7.0.15` as one number that can be compared. */
export const versionNumber = (version: string): number => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major * 1_000 + minor;
};

export const startSchema = z.object({
  /** The server's program as it tells it: absolute; empty where it tells none, or one that is not absolute. Of one started by its name alone nothing is there. */
  program: z.string(),
  /** Absolute path of the configuration that it was started with. */
  configFile: z.string(),
});
export type Start = z.infer<typeof startSchema>;

/** How a server was started, as far as it says so; null when it has no configuration file. */
export const startOf = (info: ServerInfo): Start | null => {
  const [program = "", configFile = ""] = [info.get("executable"), info.get("config_file")];
  return configFile.startsWith("/") ? { program: program.startsWith("/") ? program : "", configFile } : null;
};

const oldestVersion = "6.2";

/** Of the server's configuration: what its files are called, and what it writes by itself. */
export const settingsSchema = z.object({
  dbfilename: z.string(),
  appendonly: z.string(),
  appendfilename: z.string(),
  /** Redis 7 and later; empty before. */
  appenddirname: z.string(),
  save: z.string(),
  databases: z.string(),
  maxmemory: z.string(),
  "maxmemory-policy": z.string(),
});
export type Settings = z.infer<typeof settingsSchema>;

const settingNames = settingsSchema.keyof().options;

export const readSetting = async (session: RedisSession, name: string): Promise<string> => {
  const reply = await session.ask("CONFIG", "GET", name);
  return Array.isArray(reply) ? String(reply[1] ?? "") : "";
};

export const readFolderSetting = (session: RedisSession): Promise<string> => readSetting(session, "dir");

export const readSettings = async (session: RedisSession): Promise<Settings> => {
  const values: Record<string, string> = {};
  for (const name of settingNames) values[name] = await readSetting(session, name);
  return settingsSchema.parse(values);
};

export type RedisModule = { readonly name: string; readonly version: string };

/** Their arguments are left out, since they may be secret. */
const readModules = async (session: RedisSession): Promise<readonly RedisModule[]> => {
  const reply = await session.ask("MODULE", "LIST");
  const rows = (Array.isArray(reply) ? reply : []) as readonly Reply[];
  return rows.map((row) => {
    const words = (Array.isArray(row) ? row : []).map(String);
    const valueOf = (name: string): string => words[words.indexOf(name) + 1] ?? "";
    return { name: valueOf("name"), version: valueOf("ver") };
  });
};

/** Monitors of Sentinel name their connections. Null where the user may not look. */
export const readSentinels = async (session: RedisSession): Promise<readonly string[] | null> => {
  try {
    const listed = String(await session.ask("CLIENT", "LIST"));
    const found = [...listed.matchAll(/\baddr=(\S+).*\bname=sentinel-\S*/g)].map((match) => match[1] ?? "");
    return [...new Set(found)];
  } catch (error) {
    if (replyOf(error) !== null) return null;
    throw error;
  }
};

export type ServerFacts = {
  readonly info: ServerInfo;
  readonly version: string;
  readonly settings: Settings;
  readonly modules: readonly RedisModule[];
};

const sections = ["server", "replication", "persistence", "memory", "keyspace"] as const;

/** @throws RefloatError program.version; source.unsupported for what is no server of its own: a replica, a node of a cluster, a Sentinel */
export const readServerFacts = async (session: RedisSession, component: string): Promise<ServerFacts> => {
  const info = await readInfo(session, ...sections);
  const version = info.get("redis_version") ?? "unknown";
  if (versionNumber(version) < versionNumber(oldestVersion))
    throw new RefloatError(
      "program.version",
      `the server is Redis ${version}; it is captured from ${oldestVersion} on`,
      {
        hint: "declare it as type: command with its own dump and load commands (docs/plugins.md)",
      },
    );
  const mode = info.get("redis_mode");
  if (mode !== "standalone")
    throw new RefloatError("source.unsupported", `the server of ${component} runs as ${mode}`, {
      hint: "a node of a cluster has only its own part of the keys; declare a server that stands alone",
    });
  if (info.get("role") !== "master")
    throw new RefloatError("source.unsupported", `the server of ${component} is a replica`, {
      hint: `name its primary in the url${info.has("master_host") ? `: ${info.get("master_host")}:${info.get("master_port")}` : ""}`,
    });
  return { info, version, settings: await readSettings(session), modules: await readModules(session) };
};
