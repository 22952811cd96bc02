/**
 * A script as psql takes it, statement by statement, and the rows that follow a COPY, with no more of it in memory than one statement takes. Knows the server's ways of
 * quoting, and not what a statement means. Source: the lexical structure in PostgreSQL's documentation.
 */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import { RefloatError } from "../../../model/refloat-error.ts";

export type ScriptStep = {
  readonly sql: string;
  /** Of a COPY from standard input, in place of that: to be read before the next step is asked for. */
  readonly rows: ByteStream | null;
};

const identifierByte = /[\w$\u0080-\u00FF]/;

/** Where something begins that may hold a semicolon, or one that stands for itself. */
const special = /['"();]|--|\/\*|\$(?:[A-Za-z_\u0080-\u00FF][\w\u0080-\u00FF]*)?\$/g;

const escaped = /[^'\\]*(?:\\[^][^'\\]*)*'/y;

/** Of a comment that begins with two dashes. */
const lineEnd = /[\r\n]/g;

const afterLine = (text: string, from: number): number => {
  lineEnd.lastIndex = from;
  return lineEnd.test(text) ? lineEnd.lastIndex : -1;
};

const after = (text: string, word: string, from: number): number => {
  const at = text.indexOf(word, from);
  return at === -1 ? -1 : at + word.length;
};

const afterBlockComment = (text: string, from: number): number => {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  // They nest.
  for (let depth = 1, mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return -1;
};

const isEscaping = (text: string, quoteAt: number): boolean =>
  /[eE]/.test(text.charAt(quoteAt - 1)) && !identifierByte.test(text.charAt(quoteAt - 2));

/** @returns where it ends; -1 when that is not there yet */
const afterQuoted = (text: string, word: string, at: number): number => {
  if (word === "--") return afterLine(text, at);
  if (word === "/*") return afterBlockComment(text, at + 2);
  if (word === "'" && isEscaping(text, at)) {
    escaped.lastIndex = at + 1;
    return escaped.test(text) ? escaped.lastIndex : -1;
  }
  // A quote that is doubled ends one text and begins the next.
  return after(text, word, at + word.length);
};

/** @param text one character a byte @returns where the statement that begins at `from` ends, its semicolon included; -1 when that is not there yet */
export const endOfStatement = (text: string, from: number): number => {
  let depth = 0;
  special.lastIndex = from;
  for (let found = special.exec(text); found !== null; found = special.exec(text)) {
    const [word] = found;
    const { index } = found;
    if (word === "(") depth += 1;
    else if (word === ")") depth -= 1;
    else if (word === ";") {
      if (depth <= 0) return index + 1;
    } else if (word.startsWith("$") && identifierByte.test(text.charAt(index - 1))) {
      // Within a name; its second dollar may begin something.
      special.lastIndex = index + 1;
    } else {
      const end = afterQuoted(text, word, index);
      if (end === -1) return -1;
      special.lastIndex = end;
    }
  }
  return -1;
};

const copies = /^(?:\s|--[^\r\n]*[\r\n])*copy\s[^]*\sfrom stdin;$/i;

const nothing = /^(?:\s|--[^\r\n]*(?:[\r\n]|$))*$/;

const rowsEnd = Buffer.from("\n\\.\n");

/** What is not taken yet. */
class Unread {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  /** The same, one character a byte; null until somebody looks at it so. */
  #text: string | null = null;
  #from = 0;

  constructor(script: ByteStream) {
    this.#source = script[Symbol.asyncIterator]();
  }

  get length(): number {
    return this.#held.length - this.#from;
  }

  /** Reads until there is twice as much, so that what is looked at again is a bounded part of all. @returns whether there was more */
  async grow(): Promise<boolean> {
    const begun = this.length;
    const pieces: Uint8Array[] = [this.#held.subarray(this.#from)];
    let length = begun;
    do {
      const next = await this.#source.next();
      if (next.done === true) break;
      pieces.push(next.value);
      length += next.value.length;
    } while (length === 0 || length < 2 * begun);
    [this.#held, this.#text, this.#from] = [Buffer.concat(pieces), null, 0];
    return length > begun;
  }

  /** @returns how long the statement is that comes next; -1 when its end is not there yet */
  statement(): number {
    this.#text ??= this.#held.toString("latin1");
    const end = endOfStatement(this.#text, this.#from);
    return end === -1 ? -1 : end - this.#from;
  }

  /** @returns how far away it is; -1 when it is not there */
  find(word: Buffer): number {
    const at = this.#held.indexOf(word, this.#from);
    return at === -1 ? -1 : at - this.#from;
  }

  take(length: number): Buffer {
    const from = this.#from;
    this.#from += length;
    return this.#held.subarray(from, this.#from);
  }

  async end(): Promise<void> {
    await this.#source.return?.();
  }
}

const endsTooEarly = (): RefloatError => new RefloatError("bug", "a script ends in the middle of a statement");

/** Up to the line that ends them, which is not passed on. */
async function* rowsOf(unread: Unread): ByteStream {
  // The line break after the statement itself.
  let skipped = 1;
  for (;;) {
    const end = unread.find(rowsEnd);
    // The line that ends them may lie across two pieces.
    const length = end === -1 ? unread.length - (rowsEnd.length - 1) : end + 1;
    if (length > 0) {
      yield unread.take(length).subarray(skipped);
      skipped = 0;
    }
    if (end !== -1) break;
    if (!(await unread.grow())) throw endsTooEarly();
  }
  unread.take(rowsEnd.length - 1);
}

export async function* splitScript(script: ByteStream): AsyncGenerator<ScriptStep> {
  const unread = new Unread(script);
  try {
    for (;;) {
      const length = unread.statement();
      if (length === -1) {
        if (await unread.grow()) continue;
        if (nothing.test(unread.take(unread.length).toString("utf8"))) return;
        throw endsTooEarly();
      }
      const sql = unread.take(length).toString("utf8");
      yield { sql, rows: copies.test(sql) ? rowsOf(unread) : null };
    }
  } finally {
    await unread.end();
  }
}
