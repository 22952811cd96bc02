/**
 * Cuts the output of mariadb-dump into its tables as it passes, without changing a byte. Only tables and sequences are dumped, so that no text
 * of a person (the body of a trigger, the definition of a view) can look like the begin of one: in rows a line feed is written as \n.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";

export type DumpSection = {
  /** `head` comes first, `tail` last. */
  readonly kind: "head" | "table" | "sequence" | "tail";
  /** Of the table or sequence. */
  readonly name: string;
  readonly bytes: ByteStream;
  /** Rows that passed; good once the bytes were read to their end. */
  readonly rows: () => number;
};

const newline = 0x0a;
const quote = 0x27;
const backslash = 0x5c;
const longestHeader = 512;
/** A row may be as long as the largest value: it is passed on in parts. */
const longestHeld = 1_048_576;

const headers = [
  { prefix: "-- Table structure for table `", kind: "table" },
  { prefix: "-- Sequence structure for `", kind: "sequence" },
] as const;
const tailBegins = ["-- The deferred gtid setting", "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE"];
const dataBegins = "-- Dumping data for table `";
const complete = "-- Dump completed";

export type Line = { readonly bytes: Uint8Array; readonly isBegin: boolean; readonly isEnd: boolean };

/** Lines with their ends; very long ones in several parts. */
export async function* linesOf(source: ByteStream): AsyncGenerator<Line> {
  let held: Uint8Array = new Uint8Array();
  let isBegin = true;
  for await (const chunk of source) {
    const all: Uint8Array = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let at = 0;
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, at)) {
      yield { bytes: all.subarray(at, end + 1), isBegin, isEnd: true };
      at = end + 1;
      isBegin = true;
    }
    held = all.subarray(at);
    if (held.length < longestHeld) continue;
    yield { bytes: held, isBegin, isEnd: false };
    isBegin = false;
    held = new Uint8Array();
  }
  if (held.length > 0) yield { bytes: held, isBegin, isEnd: true };
}

const textOfLine = ({ bytes }: Line): string => Buffer.from(bytes.subarray(0, longestHeader)).toString("utf8");

/** `... table \`it\`\`s\`` gives it`s. */
const nameIn = (line: string, prefix: string): string =>
  line.slice(prefix.length).trimEnd().replace(/`$/, "").replaceAll("``", "`");

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  bytes.length >= text.length && Buffer.from(bytes.subarray(0, text.length)).toString("latin1") === text;

/** More than one row in a line, outside of quotes: older programs write all of an INSERT in one. */
const hasManyRows = (line: Uint8Array): boolean => {
  let isQuoted = false;
  for (let at = 0; at < line.length - 2; at += 1) {
    const byte = line[at];
    if (isQuoted && byte === backslash) at += 1;
    else if (byte === quote) isQuoted = !isQuoted;
    else if (!isQuoted && byte === 0x29 && line[at + 1] === 0x2c && line[at + 2] === 0x28) return true;
  }
  return false;
};

const tooOld = (): RefloatError =>
  new RefloatError("program.version", "mariadb-dump writes several rows into one line, so they cannot be counted", {
    hint: "install mariadb-client 10.11 or newer",
  });

class SectionReader {
  readonly #lines: AsyncIterator<Line>;
  /** Read and not yet given out: the first line of the next section. */
  #next: Line | null = null;
  #isComplete = false;
  #last: DumpSection["kind"] | null = null;

  constructor(source: ByteStream) {
    this.#lines = linesOf(source)[Symbol.asyncIterator]();
  }

  /** The dump's own word that it came to its end. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  async next(): Promise<DumpSection | null> {
    if (this.#last === null) return this.#section("head", "", []);
    if (this.#next === null) return null;
    const first = this.#next;
    const text = textOfLine(first);
    this.#next = null;
    const header = headers.find(({ prefix }) => text.startsWith(prefix));
    return header === undefined
      ? this.#section("tail", "", [first])
      : this.#section(header.kind, nameIn(text, header.prefix), [first]);
  }

  #section(kind: DumpSection["kind"], name: string, first: readonly Line[]): DumpSection {
    this.#last = kind;
    let rows = 0;
    let isData = false;
    let isRow = false;
    const isNext = (line: Line): boolean => {
      if (kind === "tail" || !line.isBegin || line.bytes.length < 3) return false;
      if (line.bytes[0] === 0x2d) {
        const text = textOfLine(line);
        return headers.some(({ prefix }) => text.startsWith(prefix)) || tailBegins.some((one) => text.startsWith(one));
      }
      return tailBegins.some((one) => startsWith(line.bytes, one));
    };
    const count = (line: Line): void => {
      const { bytes } = line;
      if (line.isBegin) {
        if (startsWith(bytes, dataBegins)) isData = true;
        // `... VALUES` alone has its rows below it.
        isRow = isData && (bytes[0] === 0x28 || (startsWith(bytes, "INSERT INTO `") && bytes.at(-2) !== 0x53));
        if (isRow && rows === 0 && hasManyRows(bytes)) throw tooOld();
      }
      if (isRow && line.isEnd) rows += 1;
    };
    const look = (line: Line): void => {
      if (kind === "table") count(line);
      if (kind === "tail" && line.isBegin && startsWith(line.bytes, complete)) this.#isComplete = true;
    };
    const lines = this.#lines;
    const end = (line: Line): void => {
      this.#next = line;
    };
    async function* bytes(): ByteStream {
      for (const line of first) {
        look(line);
        yield line.bytes;
      }
      let parts: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const step = await lines.next();
        if (step.done === true) break;
        const line: Line = step.value;
        if (isNext(line)) {
          end(line);
          break;
        }
        look(line);
        parts.push(line.bytes);
        size += line.bytes.length;
        if (size < 65_536) continue;
        yield Buffer.concat(parts);
        parts = [];
        size = 0;
      }
      if (size > 0) yield Buffer.concat(parts);
    }
    return { kind, name, bytes: bytes(), rows: () => rows };
  }
}

/** Each section is to be read to its end before the next one is asked for. */
export const openSections = (
  source: ByteStream,
): { readonly next: () => Promise<DumpSection | null>; readonly isComplete: () => boolean } => {
  const reader = new SectionReader(source);
  return { next: () => reader.next(), isComplete: () => reader.isComplete };
};
