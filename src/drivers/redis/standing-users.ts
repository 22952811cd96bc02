/**
 * Users of the ACL stand in memory, and in a file only where somebody has put them there: a switch starts the server anew from its files, and who is
 * in none of them does not come in any more. Reads the aclfile, or the configuration with what it includes, as the server does when it starts.
 */
import { createHash } from "node:crypto";
import { glob, readFile } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { formatList } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import type { RedisTarget } from "./connection-target.ts";
import { type RedisContext, dataPathOf } from "./redis-options.ts";
import { findRedisProcess } from "./redis-process.ts";
import { type RedisSession, replyOf } from "./redis-session.ts";
import { readFolderSetting, readInfo, readSetting } from "./server-facts.ts";

type UserEntry = { isOn: boolean; takesAny: boolean; readonly hashes: Set<string> };
type Users = ReadonlyMap<string, UserEntry>;

export type Standing =
  | { readonly kind: "stands"; readonly file: string }
  | {
      readonly kind: "gone";
      /** Does the user of the url not come in any more, or do only others? */
      readonly own: boolean;
      /** What is so, as a sentence. */
      readonly found: string;
      /** What an administrator does about it. */
      readonly advice: string;
    }
  | { readonly kind: "unseen"; readonly why: string };

const nobody = (): UserEntry => ({ isOn: false, takesAny: false, hashes: new Set() });
const anybody = (): UserEntry => ({ isOn: true, takesAny: true, hashes: new Set() });

const hashOf = (password: Uint8Array): string => createHash("sha256").update(password).digest("hex");

/** Files are read byte by byte: a password is bytes, and need not be text. */
const bytes = "latin1";
const textOf = (word: string): string => Buffer.from(word, bytes).toString("utf8");

/** A word may have a quoted end: `>"hunter 2"`. */
const wordPattern = /\s*([^\s"']*)(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\'|\\(?!'))*)')?(?=\s|$)/gy;

/** One line of redis.conf, as the server splits it (sds.c, sdssplitargs). Null for one that it would not start with. */
const configWords = (line: string): readonly string[] | null => {
  const words: string[] = [];
  const text = line.trim();
  const pattern = new RegExp(wordPattern);
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) return null;
    const [, plain = "", double, single] = match;
    words.push(plain + (double === undefined ? (single?.replaceAll("\\'", "'") ?? "") : unescaped(double)));
  }
  return words;
};

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\u0007" };

const unescaped = (text: string): string =>
  text.replaceAll(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, one: string) =>
    hex === undefined ? (escapes[one] ?? one) : String.fromCodePoint(Number.parseInt(hex, 16)),
  );

const setAll = (entry: UserEntry, { isOn, takesAny }: Pick<UserEntry, "isOn" | "takesAny">): void => {
  entry.isOn = isOn;
  entry.takesAny = takesAny;
  entry.hashes.clear();
};

/** What a rule says of who comes in. Rules of rights say nothing of that. */
const applyRule = (entry: UserEntry, rule: string): void => {
  const word = rule.toLowerCase();
  const addHash = (hash: string): void => {
    entry.takesAny = false;
    entry.hashes.add(hash);
  };
  if (word === "on" || word === "off") entry.isOn = word === "on";
  else if (word === "nopass") setAll(entry, { isOn: entry.isOn, takesAny: true });
  else if (word === "resetpass") setAll(entry, { isOn: entry.isOn, takesAny: false });
  else if (word === "reset") setAll(entry, nobody());
  else if (rule.startsWith(">")) addHash(hashOf(Buffer.from(rule.slice(1), bytes)));
  else if (rule.startsWith("#")) addHash(word.slice(1));
  else if (rule.startsWith("<")) entry.hashes.delete(hashOf(Buffer.from(rule.slice(1), bytes)));
  else if (rule.startsWith("!")) entry.hashes.delete(word.slice(1));
};

const usersOf = (lines: readonly (readonly string[])[], initial: UserEntry): Users => {
  const users = new Map<string, UserEntry>([["default", initial]]);
  for (const [keyword = "", name = "", ...rules] of lines) {
    if (keyword.toLowerCase() !== "user") continue;
    const entry = nobody();
    for (const rule of rules) applyRule(entry, rule);
    users.set(textOf(name), entry);
  }
  return users;
};

/** An aclfile knows no quotes. */
const readAclFile = async (file: string): Promise<Users> =>
  usersOf(
    (await readFile(file, bytes)).split("\n").map((line) => line.trim().split(/\s+/)),
    anybody(),
  );

const deepest = 16;

/** All directives of a configuration, those of included files in their place. @throws the error of a file that cannot be read */
const readDirectives = async (file: string, depth = 0): Promise<readonly (readonly string[])[]> => {
  const directives: (readonly string[])[] = [];
  for (const line of (await readFile(file, bytes)).split("\n")) {
    const words = line.trim().startsWith("#") ? [] : (configWords(line) ?? []);
    const [keyword = "", value = ""] = words;
    if (keyword.toLowerCase() !== "include") directives.push(words);
    else if (depth < deepest)
      for (const path of await includedBy(textOf(value))) directives.push(...(await readDirectives(path, depth + 1)));
  }
  return directives;
};

/** @throws RefloatError source.unsupported of a path that only the server's own folder at its start gives a meaning */
const includedBy = async (pattern: string): Promise<readonly string[]> => {
  if (!isAbsolute(pattern))
    throw new RefloatError("source.unsupported", `it includes ${pattern}, which is not an absolute path`);
  if (!/[*?[]/.test(pattern)) return [pattern];
  const found: string[] = [];
  for await (const path of glob(pattern)) found.push(path);
  return found.toSorted();
};

const readConfiguration = async (file: string): Promise<Users> => {
  const directives = await readDirectives(file);
  const [, required = ""] = directives.findLast(([keyword]) => keyword?.toLowerCase() === "requirepass") ?? [];
  const initial = anybody();
  if (required !== "") applyRule(initial, `>${required}`);
  return usersOf(directives, initial);
};

/** Why whoever comes by that target would not come in; null when they would. */
const refusalOf = (users: Users, { user, password }: RedisTarget): string | null => {
  const entry = users.get(user ?? "default");
  if (entry === undefined) return "stands in no file";
  if (!entry.isOn) return "is off there";
  const comesIn = entry.takesAny || (password !== null && entry.hashes.has(hashOf(Buffer.from(password.reveal()))));
  return comesIn ? null : "has another password there";
};

/** Null where the user may not ask for that: of others nothing is known then. */
const liveUsers = async (session: RedisSession): Promise<readonly string[] | null> => {
  try {
    const names = await session.ask("ACL", "USERS");
    return Array.isArray(names) ? names.map(String) : null;
  } catch (error) {
    if (replyOf(error) === null) throw error;
    return null;
  }
};

const adviceFor = (names: readonly string[], isAclFile: boolean, file: string): string =>
  isAclFile
    ? `as an administrator: ACL SAVE, which writes all users into ${file}`
    : `give ${file} a line "user ${names[0] ?? "NAME"} ..." as ACL LIST shows it (CONFIG REWRITE writes those of all users, and all else that was set)`;

const judge = async (
  session: RedisSession,
  target: RedisTarget,
  { users, file, isAclFile }: { readonly users: Users; readonly file: string; readonly isAclFile: boolean },
): Promise<Standing> => {
  const name = target.user ?? "default";
  const refusal = refusalOf(users, target);
  const others = ((await liveUsers(session)) ?? []).filter((one) => one !== name && !users.has(one));
  const consequence = `when the server is started anew from ${file}, as a switch does`;
  if (refusal !== null)
    return {
      kind: "gone",
      own: true,
      found: `the user ${name} ${refusal}, and does not come in ${consequence}${others.length === 0 ? "" : `; nor do ${formatList(others, 3)}`}`,
      advice: adviceFor([name, ...others], isAclFile, file),
    };
  if (others.length === 0) return { kind: "stands", file };
  return {
    kind: "gone",
    own: false,
    found: `${formatList(others, 3)} ${others.length === 1 ? "stands" : "stand"} in no file, and ${others.length === 1 ? "is" : "are"} gone ${consequence}`,
    advice: adviceFor(others, isAclFile, file),
  };
};

/** Would the users of the live server come in once it is started anew? Changes nothing. @throws RefloatError source.* of a server that cannot be asked */
export const readStanding = async (
  context: RedisContext,
  session: RedisSession,
  target: RedisTarget,
): Promise<Standing> => {
  if ((await findRedisProcess(await dataPathOf(context))) === null)
    return { kind: "unseen", why: "the server is not seen on this machine, and its files lie where it runs" };
  const aclFile = await readSetting(session, "aclfile");
  const configFile = (await readInfo(session, "server")).get("config_file") ?? "";
  if (aclFile === "" && configFile === "")
    return { kind: "unseen", why: "it runs without a configuration file and an aclfile" };
  const isAclFile = aclFile !== "";
  const file = isAclFile ? resolve(await readFolderSetting(session), aclFile) : configFile;
  let users: Users;
  try {
    users = isAclFile ? await readAclFile(file) : await readConfiguration(file);
  } catch (error) {
    context.signal.throwIfAborted();
    return { kind: "unseen", why: `${file} cannot be read: ${describeSystemError(error)}` };
  }
  return judge(session, target, { users, file, isAclFile });
};
