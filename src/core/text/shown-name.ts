/**
 * Names of files as a person can read, type and copy them. A name is any bytes; what is not UTF-8, what would move a terminal's cursor and
 * what would turn text around is written as an escape, and a backslash doubled, so that different names never look the same.
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\\]/gu;
const plainAscii = /^[ -[\]-~]*$/;

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;

const escapeText = (text: string): string =>
  plainAscii.test(text)
    ? text
    : text.replaceAll(hidden, (character) => {
        const code = character.codePointAt(0) ?? 0;
        return escapes[character] ?? (code < 0x80 ? hex(code) : `\\u{${code.toString(16)}}`);
      });

const strictText = (bytes: Uint8Array): string | null => {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
};

/** Length of the UTF-8 sequence that begins at `at`; 0 if none does. */
const sequenceLength = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at] ?? 0;
  const wanted = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  return at + wanted <= bytes.length && strictText(bytes.subarray(at, at + wanted)) !== null ? wanted : 0;
};

export const isText = (bytes: Uint8Array): boolean => strictText(bytes) !== null;

/** With U+FFFD for what is not UTF-8. */
export const lossyText = (bytes: Uint8Array): string => lossy.decode(bytes);

/** `caf\xe9`, `two\nlines`, `plain.txt`. Works for paths too: slashes stay. */
export const showName = (bytes: Uint8Array): string => {
  const text = strictText(bytes);
  if (text !== null) return escapeText(text);
  let shown = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    shown += length === 0 ? hex(bytes[at] ?? 0) : escapeText(lossy.decode(bytes.subarray(at, at + length)));
    at += Math.max(length, 1);
  }
  return shown;
};

const escapePattern = /\\(?:x(?<byte>[0-9a-fA-F]{2})|u\{(?<code>[0-9a-fA-F]{1,6})\}|(?<letter>[nrt\\]))/g;
const letters: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\" };

/** The bytes of a name as `showName` writes it; a backslash that begins no escape stands for itself. */
export const readName = (shown: string): Uint8Array => {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const match of shown.matchAll(escapePattern)) {
    parts.push(Buffer.from(shown.slice(at, match.index)));
    const { byte, code, letter } = match.groups ?? {};
    const point = Number.parseInt(code ?? "", 16);
    parts.push(
      byte !== undefined
        ? Buffer.of(Number.parseInt(byte, 16))
        : Buffer.from(
            letter !== undefined
              ? (letters[letter] ?? "")
              : point <= 0x10_ff_ff
                ? String.fromCodePoint(point)
                : match[0],
          ),
    );
    at = match.index + match[0].length;
  }
  parts.push(Buffer.from(shown.slice(at)));
  return Buffer.concat(parts);
};
