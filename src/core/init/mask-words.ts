/** Command lines without their secrets: what a process was started with is read by everyone, and is not to be written down again. */
import { passwordsInUrls } from "../declaration/secret-keys.ts";

/** Stands for what was left out. */
export const hidden = "***";

const secretName = /(password|passwd|passphrase|secret|token|credential|api-?_?key)/i;

export const maskWords = (words: readonly string[]): readonly string[] =>
  words.map((word, index) => {
    const [, name, value] = /^(--?[\w.-]+|[A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
    if (name !== undefined && value !== undefined && secretName.test(name)) return `${name}=${hidden}`;
    const before = words[index - 1] ?? "";
    if (/^--?[\w.-]+$/.test(before) && secretName.test(before) && !word.startsWith("-")) return hidden;
    return passwordsInUrls(word).reduce((text, password) => text.replace(`:${password}@`, `:${hidden}@`), word);
  });
