/**
 * The form in which sets of values travel: one value per line. Reads lines out of what a server or a program sends, which may be anything: bounded, and
 * text or nothing.
 */
import type { ByteStream } from "../core/ports/bytes.ts";
import { RefloatError } from "../model/refloat-error.ts";

/** Of one answer, or of all output of a program. */
export const setLimitBytes = 256 * 1024 * 1024;

const chunkBytes = 65_536;

/** How much more may come. Shared by the pages of one set. */
export type Allowance = { readonly take: (bytes: number) => void };

/** @param source for errors: `the answer of /export`, `its output` */
export const createAllowance = (source: string, totalBytes: number): Allowance => {
  let left = totalBytes;
  return {
    take: (bytes) => {
      left -= bytes;
      if (left < 0)
        throw new RefloatError("source.unsupported", `${source} is larger than ${totalBytes / 1024 / 1024} MiB`, {
          hint: "let it give only the values that are compared, or fewer of them",
        });
    },
  };
};

const decodeBy = (decode: () => string, source: string, where: () => string): string => {
  try {
    const text = decode();
    if (!text.includes("\u0000")) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new RefloatError("source.unsupported", `${source} is no text: ${where()} is not UTF-8, or holds a zero byte`, {
    hint: "values are lines of UTF-8 text; let it give names, not contents",
  });
};

/** Decodes all of it, or refuses. */
export const decodeText = (bytes: Uint8Array, source: string): string =>
  decodeBy(
    () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    source,
    () => "it",
  );

/**
 * Lines as they come, without their ends (`\n` or `\r\n`); the last one needs none. Empty ones are left out.
 * @throws RefloatError source.unsupported for a line that is too long, and for what is no text
 */
export const readLines = async function* (
  bytes: ByteStream,
  source: string,
  { lineLength, allowance }: { readonly lineLength: number; readonly allowance: Allowance },
): AsyncIterable<{ readonly text: string; readonly number: number }> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let number = 0;
  let rest = "";
  const decode = (chunk: Uint8Array | null): string =>
    decodeBy(
      () => (chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true })),
      source,
      () => (number === 0 ? "its begin" : `what follows line ${number}`),
    );
  for await (const chunk of bytes) {
    allowance.take(chunk.length);
    const parts = (rest + decode(chunk)).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      number += 1;
      if (part.length > lineLength) throw longLine(number, source, lineLength);
      const text = part.endsWith("\r") ? part.slice(0, -1) : part;
      if (text !== "") yield { text, number };
    }
    if (rest.length > lineLength) throw longLine(number + 1, source, lineLength);
  }
  rest += decode(null);
  if (rest !== "") yield { text: rest, number: number + 1 };
};

const longLine = (number: number, source: string, lineLength: number): RefloatError =>
  new RefloatError("source.unsupported", `line ${number} of ${source} is longer than ${lineLength} characters`, {
    hint: "each value is a line of its own",
  });

/** A newline in a value would make two of it, and one of them could be a value that is meant to exist. */
export const asSetLines = async function* (values: AsyncIterable<string>): ByteStream {
  let waiting = "";
  for await (const value of values) {
    waiting += `${value.includes("\n") ? value.replaceAll("\n", "\\n") : value}\n`;
    if (waiting.length < chunkBytes) continue;
    yield Buffer.from(waiting);
    waiting = "";
  }
  if (waiting !== "") yield Buffer.from(waiting);
};
