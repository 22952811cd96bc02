/**
 * The environment that declared commands and applications start from: what every login has, and nothing of ours. Refloat's own
 * environment may hold the vault's password and other services' secrets.
 */
const inherited = /^(PATH|HOME|USER|LOGNAME|SHELL|TZ|TMPDIR|LANG|LANGUAGE|LC_[A-Z]+)$/;

export const baseEnvironment = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && inherited.test(entry[0]),
    ),
  );
