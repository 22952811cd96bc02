/** Values of a row as mariadb-dump writes them, and the same as CSV and as the text that LOAD DATA takes. Works on bytes, as Latin-1. Pure. */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { RowFormat } from "../../core/ports/driver.ts";
import type { Line } from "./dump-sections.ts";

/** Null is SQL's own. `hex`: binary, as its digits. */
export type DumpedValue = { readonly kind: "null" | "text" | "hex"; readonly text: string };

const letters: Readonly<Record<string, string>> = { "0": "\0", n: "\n", r: "\r", t: "\t", b: "\b", Z: "\u001a" };

/** What may stand before a text in quotes, and its begin; or a word. */
const valuePattern = /(?:_binary )?(?<quote>')|(?<word>[^,()']+)/y;

/** Where the text in quotes that begins there ends: looked for letter by letter, since a value may be longer than a pattern can go back. */
const endOfText = (line: string, begin: number): number => {
  for (let at = begin; at < line.length; at += 1) {
    if (line[at] === "\\") at += 1;
    else if (line[at] === "'") {
      if (line[at + 1] !== "'") return at;
      at += 1;
    }
  }
  throw new Error(`a text that begins at ${begin} of a row has no end`);
};

/** @param line `(1,'a',NULL),` in Latin-1 */
export const readRowLine = (line: string): readonly DumpedValue[] => {
  const values: DumpedValue[] = [];
  for (let at = 1; at < line.length; at += 1) {
    valuePattern.lastIndex = at;
    const { quote, word } = valuePattern.exec(line)?.groups ?? {};
    if (quote === undefined && word === undefined) throw new Error(`no value at ${at} of a row`);
    at = valuePattern.lastIndex;
    if (quote !== undefined) {
      const end = endOfText(line, at);
      values.push({
        kind: "text",
        text: line
          .slice(at, end)
          .replaceAll(/\\([^])|''/g, (_, letter: string | undefined) =>
            letter === undefined ? "'" : (letters[letter] ?? letter),
          ),
      });
      at = end + 1;
    } else if (word === "NULL") values.push({ kind: "null", text: "" });
    else if (word?.startsWith("0x") === true) values.push({ kind: "hex", text: word.slice(2) });
    else values.push({ kind: "text", text: word ?? "" });
    if (line[at] === ")") break;
  }
  return values;
};

const csvField = ({ kind, text }: DumpedValue): string => {
  if (kind === "null") return "";
  if (kind === "hex") return `0x${text}`;
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const escapes: Readonly<Record<string, string>> = {
  "\\": String.raw`\\`,
  "\t": String.raw`\t`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\0": String.raw`\0`,
};

const loadField = ({ kind, text }: DumpedValue): string => {
  if (kind === "null") return String.raw`\N`;
  const plain = kind === "hex" ? Buffer.from(text, "hex").toString("latin1") : text;
  return plain.replaceAll(/[\\\t\n\r\0]/g, (found) => escapes[found] ?? found);
};

const rowText = (values: readonly DumpedValue[], format: RowFormat): string =>
  format === "csv" ? values.map(csvField).join(",") : values.map(loadField).join("\t");

/** Names in `` (`a`, `b`) VALUES``; null where it names none. */
const namesIn = (line: string): readonly string[] | null => {
  const found = [...line.matchAll(/`((?:[^`]|``)+)`/g)].map(([, name = ""]) => name.replaceAll("``", "`"));
  return found.length === 0 ? null : found;
};

/** @param columns names, in the order of the rows where these do not say: the header of CSV */
export async function* formatRows(
  lines: AsyncIterable<Line>,
  columns: readonly string[],
  format: RowFormat,
): ByteStream {
  let isHeaded = format !== "csv";
  const header = (names: readonly string[]): Uint8Array => {
    isHeaded = true;
    return Buffer.from(`${names.map((name) => csvField({ kind: "text", text: name })).join(",")}\n`);
  };
  let held: Uint8Array[] = [];
  for await (const { bytes, isEnd } of lines) {
    held.push(bytes);
    if (!isEnd) continue;
    const line = Buffer.concat(held);
    held = [];
    const isRow = line[0] === 0x28;
    if (!isHeaded) yield header((isRow ? null : namesIn(line.toString("utf8"))) ?? columns);
    if (isRow) yield Buffer.from(`${rowText(readRowLine(line.toString("latin1")), format)}\n`, "latin1");
  }
  if (!isHeaded) yield header(columns);
}
