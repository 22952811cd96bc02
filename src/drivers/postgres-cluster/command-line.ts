/** Settings on a server's command line, which win over every file: what a disarmed cluster has in its files holds only beside what stands here. */
import { shellWord } from "../../core/text/shell-word.ts";

/** Comes before what is appended, so that it can be told from what people have put there. PostgreSQL takes it for a setting of somebody's own. */
const marker = "refloat.disarmed=on";

/** Back from what `shellWord` makes. */
export const wordsOf = (options: string): readonly string[] =>
  [...options.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\'/g, (_, inner?: string) => inner ?? "'"),
  );

/** As PostgreSQL reads `-c name=value`, `-cname=value` and `--name=value`: dashes are underscores, the last one counts. */
export const settingsOf = (options: string): ReadonlyMap<string, string> => {
  const words = wordsOf(options);
  const settings = new Map<string, string>();
  for (const [at, word] of words.entries()) {
    const pair = word === "-c" ? (words[at + 1] ?? "") : (/^(?:-c|--)(?<pair>.+)$/s.exec(word)?.groups?.["pair"] ?? "");
    const { name = "", value = "" } = /^(?<name>[^=]+)=(?<value>.*)$/s.exec(pair)?.groups ?? {};
    if (name !== "") settings.set(name.replaceAll("-", "_").toLowerCase(), value);
  }
  return settings;
};

const meant = (value: string): string => (/^(?:off|false|no|0)$/i.test(value.trim()) ? "off" : value.trim());

/** Names of the settings to which a command line gives another value than they are to have. */
export const armedOnLine = (options: string, disarmed: Readonly<Record<string, string>>): readonly string[] => {
  const given = settingsOf(options);
  return Object.entries(disarmed).flatMap(([name, value]) =>
    meant(given.get(name) ?? value) === meant(value) ? [] : [name],
  );
};

/** Only what the options contradict is appended: `pg_ctl restart` goes on with it when the cluster was armed by its files. */
export const withDisarmed = (options: string, disarmed: Readonly<Record<string, string>>): string => {
  const names = armedOnLine(options, disarmed);
  if (names.length === 0) return options;
  const added = [marker, ...names.map((name) => `${name}=${disarmed[name] ?? ""}`)];
  return [options, ...added.flatMap((word) => ["-c", shellWord(word)])].join(" ");
};

/** With what a server was started by people. */
export const withoutDisarmed = (words: readonly string[]): readonly string[] => {
  const at = words.indexOf(marker);
  return at === -1 ? words : words.slice(0, at - 1);
};
