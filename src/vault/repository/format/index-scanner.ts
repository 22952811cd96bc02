/**
 * Reads the JSON of an index pack by pack: an index of millions of blobs is never a tree of objects. Takes any order of members and
 * skips those that it does not know, as a JSON parser would.
 */
import { BlobRecords } from "./blob-records.ts";
import type { IndexedPack } from "./index-file.ts";
import type { BlobType } from "./pack-header.ts";

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const hexId = /^[0-9a-f]{64}$/;

/** The pieces of a blob between its values. */
const usual = {
  id: Buffer.from('{"id":"'),
  type: Buffer.from('","type":"'),
  data: Buffer.from("data"),
  tree: Buffer.from("tree"),
  offset: Buffer.from('","offset":'),
  length: Buffer.from(',"length":'),
  plainLength: Buffer.from(',"uncompressed_length":'),
};

/** What is thrown where the text is not of the form; the caller knows the file. */
export class MalformedIndex extends Error {}

/** A pack as it was scanned; the records are those of the next pack once it is asked for. */
export type ScannedPack = { readonly id: string; readonly records: BlobRecords };

export class IndexScanner {
  readonly #text: Buffer;
  readonly #records = new BlobRecords();
  #at = 0;

  constructor(text: Buffer) {
    this.#text = text;
  }

  /** @throws MalformedIndex */
  *packs(): Generator<IndexedPack> {
    for (const { id, records } of this.scan()) yield { id, blobs: records.blobs() };
  }

  /** @throws MalformedIndex */
  *scan(): Generator<ScannedPack> {
    let found = false;
    for (const key of this.#members()) {
      if (key !== "packs") {
        this.#skip();
        continue;
      }
      found = true;
      if (this.#takeNull()) continue;
      for (const _ of this.#items()) yield { id: this.#pack(), records: this.#records };
    }
    if (!found && this.#at === 0) throw new MalformedIndex("there is no object");
    this.#space();
    if (this.#at < this.#text.length) throw new MalformedIndex("something follows the end");
  }

  /** @returns its id; its blobs are in the records */
  #pack(): string {
    let id: string | undefined;
    this.#records.clear();
    for (const key of this.#members()) {
      if (key === "id") id = this.#id();
      else if (key === "blobs") for (const _ of this.#items()) this.#blobs();
      else this.#skip();
    }
    if (id === undefined) throw new MalformedIndex("a pack has no id");
    return id;
  }

  /** This one and those that follow in the usual form. */
  #blobs(): void {
    if (!this.#usualBlob()) {
      this.#anyBlob();
      return;
    }
    const text = this.#text;
    while (text[this.#at] === comma && text[this.#at + 1] === openBrace) {
      this.#at += 1;
      if (this.#usualBlob()) continue;
      this.#at -= 1;
      return;
    }
  }

  /** A blob exactly as restic and we write it, which is nearly every one; false, with nothing taken, for any other. */
  #usualBlob(): boolean {
    const begin = this.#at;
    if (this.#takeLiteral(usual.id)) {
      const from = this.#at;
      this.#at += 64;
      if (this.#takeLiteral(usual.type)) {
        const type = this.#takeLiteral(usual.data) ? "data" : this.#takeLiteral(usual.tree) ? "tree" : undefined;
        const offset = type !== undefined && this.#takeLiteral(usual.offset) ? this.#number() : -1;
        const length = offset !== -1 && this.#takeLiteral(usual.length) ? this.#number() : -1;
        if (type !== undefined && length !== -1) {
          const plainLength = this.#takeLiteral(usual.plainLength) ? this.#number() : 0;
          if (this.#text[this.#at] === closeBrace) {
            this.#at += 1;
            if (!this.#records.takeHexId(this.#text, from)) throw new MalformedIndex("an id is none");
            this.#records.add(type, offset, length, plainLength);
            return true;
          }
        }
      }
    }
    this.#at = begin;
    return false;
  }

  #takeLiteral(literal: Uint8Array): boolean {
    const text = this.#text;
    const at = this.#at;
    for (let i = 0; i < literal.length; i += 1) if (text[at + i] !== literal[i]) return false;
    this.#at = at + literal.length;
    return true;
  }

  #anyBlob(): void {
    let idAt: number | undefined;
    let type: BlobType | undefined;
    let offset: number | undefined;
    let length: number | undefined;
    let plainLength = 0;
    for (const key of this.#members()) {
      if (key === "id") {
        idAt = this.#at + 1;
        this.#id();
      } else if (key === "type") type = this.#type();
      else if (key === "offset") offset = this.#number();
      else if (key === "length") length = this.#number();
      else if (key === "uncompressed_length") plainLength = this.#number();
      else this.#skip();
    }
    if (idAt === undefined || type === undefined || offset === undefined || length === undefined) {
      throw new MalformedIndex("a blob lacks a member");
    }
    if (!this.#records.takeHexId(this.#text, idAt)) throw new MalformedIndex("an id is none");
    this.#records.add(type, offset, length, plainLength);
  }

  #id(): string {
    const id = this.#string();
    if (!hexId.test(id)) throw new MalformedIndex("an id is none");
    return id;
  }

  #type(): BlobType {
    const type = this.#string();
    if (type !== "data" && type !== "tree") throw new MalformedIndex(`there is no type of blobs "${type}"`);
    return type;
  }

  /** Yields each key, with the value next. */
  *#members(): Generator<string> {
    this.#expect(openBrace);
    if (this.#take(closeBrace)) return;
    do {
      this.#space();
      const key = this.#string();
      this.#expect(colon);
      this.#space();
      yield key;
    } while (this.#take(comma));
    this.#expect(closeBrace);
  }

  /** Yields before each item. */
  *#items(): Generator<undefined> {
    this.#expect(openBracket);
    if (this.#take(closeBracket)) return;
    do {
      this.#space();
      yield undefined;
    } while (this.#take(comma));
    this.#expect(closeBracket);
  }

  #space(): void {
    const text = this.#text;
    for (;;) {
      const byte = text[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at += 1;
    }
  }

  #take(byte: number): boolean {
    this.#space();
    if (this.#text[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  #expect(byte: number): void {
    if (!this.#take(byte)) throw new MalformedIndex(`no ${String.fromCharCode(byte)} at byte ${this.#at}`);
  }

  #takeNull(): boolean {
    if (this.#text.toString("latin1", this.#at, this.#at + 4) !== "null") return false;
    this.#at += 4;
    return true;
  }

  /** Of the known members none needs an escape; those of unknown ones are passed over. */
  #string(): string {
    const text = this.#text;
    if (text[this.#at] !== quote) throw new MalformedIndex(`no text at byte ${this.#at}`);
    const from = this.#at + 1;
    let end = from;
    while (end < text.length && text[end] !== quote) end += text[end] === backslash ? 2 : 1;
    if (end >= text.length) throw new MalformedIndex("it ends within a text");
    this.#at = end + 1;
    return text.toString("latin1", from, end);
  }

  #number(): number {
    const text = this.#text;
    const from = this.#at;
    let value = 0;
    for (;;) {
      const digit = (text[this.#at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      this.#at += 1;
    }
    if (this.#at === from || value > 0xffff_ffff) throw new MalformedIndex(`no length at byte ${from}`);
    return value;
  }

  #skip(): void {
    const byte = this.#text[this.#at];
    if (byte === quote) this.#string();
    else if (byte === openBrace) for (const _ of this.#members()) this.#skip();
    else if (byte === openBracket) for (const _ of this.#items()) this.#skip();
    else {
      const rest = /^(?:true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(
        this.#text.toString("latin1", this.#at, this.#at + 40),
      );
      if (rest === null) throw new MalformedIndex(`no value at byte ${this.#at}`);
      this.#at += rest[0].length;
    }
  }
}
