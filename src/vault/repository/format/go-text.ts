/**
 * Text as Go writes it. Tree blobs are named by their bytes, so equal folders have equal ids only if names are quoted exactly as
 * restic's strconv.Quote and encoding/json do.
 */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** U+FFFD for what is not UTF-8. */
const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

const plainAscii = /^[ !#-%'-;=?-[\]-~]*$/;

/** @returns undefined if the bytes are not UTF-8 */
const strictText = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
};

/** For people and for exclude patterns: lossy where the bytes are not UTF-8. */
export const readableText = (bytes: Uint8Array): string => lossyDecoder.decode(bytes);

const shortEscapes: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const quoteRune = (rune: string): string => {
  const short = shortEscapes[rune];
  if (short !== undefined) return short;
  if (printable.test(rune)) return rune;
  const code = rune.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xff_ff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
};

/** Length of the UTF-8 sequence that begins at `at`, or 0 if none does. */
const sequenceLength = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at] ?? 0;
  const wanted = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  return wanted > 0 && strictText(bytes.subarray(at, at + wanted)) !== undefined && at + wanted <= bytes.length
    ? wanted
    : 0;
};

/** strconv.Quote without the quotes around it. */
export const goQuote = (bytes: Uint8Array): string => {
  const text = strictText(bytes);
  if (text !== undefined) return plainAscii.test(text) ? text : Array.from(text, quoteRune).join("");
  let quoted = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    quoted +=
      length === 0
        ? `\\x${(bytes[at] ?? 0).toString(16).padStart(2, "0")}`
        : quoteRune(lossyDecoder.decode(bytes.subarray(at, at + length)));
    at += Math.max(length, 1);
  }
  return quoted;
};

const escapePattern =
  /\\(?:x(?<byte>[0-9a-fA-F]{2})|u(?<short>[0-9a-fA-F]{4})|U(?<long>[0-9a-fA-F]{8})|(?<octal>[0-7]{3})|(?<letter>[abfnrtv\\'"]))/y;

const letters: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
  "'": 39,
  '"': 34,
};

/** strconv.Unquote. @returns undefined if the text is not what Quote makes */
export const goUnquote = (quoted: string): Buffer | undefined => {
  if (!quoted.includes("\\")) return Buffer.from(quoted, "utf8");
  const parts: Buffer[] = [];
  for (let at = 0; at < quoted.length;) {
    const next = quoted.indexOf("\\", at);
    if (next !== at) {
      const end = next === -1 ? quoted.length : next;
      parts.push(Buffer.from(quoted.slice(at, end), "utf8"));
      at = end;
      continue;
    }
    escapePattern.lastIndex = at;
    const found = escapePattern.exec(quoted);
    if (found?.groups === undefined) return undefined;
    const { byte, short, long, octal, letter } = found.groups;
    if (byte !== undefined) parts.push(Buffer.of(Number.parseInt(byte, 16)));
    else if (octal !== undefined) parts.push(Buffer.of(Number.parseInt(octal, 8)));
    else if (letter !== undefined) parts.push(Buffer.of(letters[letter] ?? 0));
    else {
      const code = Number.parseInt(short ?? long ?? "", 16);
      if (code > 0x10_ff_ff) return undefined;
      parts.push(Buffer.from(String.fromCodePoint(code), "utf8"));
    }
    at = escapePattern.lastIndex;
  }
  return Buffer.concat(parts);
};

const jsonSpecial = /[<>&\u2028\u2029]/g;

/** encoding/json of a string: as JSON.stringify, with what could end a script element escaped as well. */
export const goJsonString = (text: string): string => {
  if (plainAscii.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    jsonSpecial,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
};

/** encoding/json of bytes that may not be UTF-8: one literal `\ufffd` for each byte that is not. */
export const goJsonBytes = (bytes: Uint8Array): string => {
  const text = strictText(bytes);
  if (text !== undefined) return goJsonString(text);
  let json = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    json += length === 0 ? "\\ufffd" : goJsonString(lossyDecoder.decode(bytes.subarray(at, at + length))).slice(1, -1);
    at += Math.max(length, 1);
  }
  return `"${json}"`;
};

export const isUtf8 = (bytes: Uint8Array): boolean => strictText(bytes) !== undefined;
