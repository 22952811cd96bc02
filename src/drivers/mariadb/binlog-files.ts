/** Reads the events of one file of a received binary log, as the vault holds it. */
import type { LogTargetSearch } from "../../core/ports/logs.ts";
import { type BinlogEvent, type BinlogFormat, EventSplitter, fileBegin, readFormat } from "./binlog-events.ts";
import { placeAt, positionOf } from "./binlog-line.ts";
import { readFileFormat } from "./binlog-walk.ts";

/** An event, and where in its file it begins and ends. */
type Placed = { readonly event: BinlogEvent; readonly begin: number; readonly end: number };

/**
 * The events of one file behind its format, as far as the span has them; null where what tells how to read them is not in the span.
 * @param offsetAt where an event begins: those before it are left out
 */
export const openFile = async (
  { span: { line, from, to }, read, signal }: Pick<LogTargetSearch, "span" | "read" | "signal">,
  number: number,
  offsetAt = 0,
): Promise<{ readonly format: BinlogFormat; readonly events: AsyncIterable<Placed> } | null> => {
  const [first, last] = [placeAt(from), placeAt(to)];
  if (number === first.number && first.offset > 0) return null;
  const format = await readFileFormat({ logs: { read }, line, to }, number);
  if (format === null) return null;
  const begin = Math.max(fileBegin.length + format.bytes.length, offsetAt);
  const end = number === last.number ? to : positionOf({ number: number + 1, offset: 0 });
  async function* events() {
    const splitter = new EventSplitter();
    let offset = begin;
    for await (const chunk of read(line, positionOf({ number, offset: begin }), end)) {
      signal.throwIfAborted();
      for (const item of splitter.push(chunk)) {
        if (item.kind === "file") continue;
        yield { event: item, begin: offset, end: offset + item.bytes.length };
        offset += item.bytes.length;
      }
    }
  }
  return { format: readFormat(format), events: events() };
};
