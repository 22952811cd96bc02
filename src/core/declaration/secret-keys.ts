/** Which keys and texts hold a secret, by their look. */
import { parseTemplate } from "./template.ts";

/** Keys of the file whose value is a secret. */
export const isSecretKey = (key: string): boolean =>
  /^(password|passphrase|secret|token|key|secretAccessKey|sessionToken|authorization|cookie|x-api-key)$/i.test(key);

/** Names of environment variables whose value is likely to be one; `PASSWORD_FILE` and `TOKEN_TTL` are not. */
export const isSecretVariable = (name: string): boolean =>
  /(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|API_?KEY|PRIVATE_KEY|SECRET_KEY|ACCESS_KEY)$/i.test(name);

const userInfoPattern = /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/@:]*:([^\s/@]+)@/gi;

/** Passwords that stand inside URLs as they are: `postgres://shop:hunter2@db/shop`. */
export const passwordsInUrls = (text: string): readonly string[] =>
  [...text.matchAll(userInfoPattern)].flatMap(([, password = ""]) => (password.includes("${") ? [] : [password]));

/** Does the text take a value from somewhere else, so that the file does not hold all of it? */
export const takesFromElsewhere = (text: string): boolean =>
  parseTemplate(text).some(
    ({ kind }) => kind === "secret" || kind === "output" || kind === "foreign" || kind === "malformed",
  );
