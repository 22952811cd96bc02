/**
 * Finds in a received binary log what MariaDB's people name a place in it by: the number of a transaction, a file and an offset. Reads the stored bytes a
 * file at a time, the newest first, and holds no more than one event.
 */
import type { LogTargetFound, LogTargetSearch, LogTargets, LogTargetWord } from "../../core/ports/logs.ts";
import { endsTransaction, eventType, gtidText, isQuery, readGtid, readQuery } from "./binlog-events.ts";
import { openFile } from "./binlog-files.ts";
import { placeAt, placeWords, positionOf, readFileName } from "./binlog-line.ts";

const gtid: LogTargetWord = {
  word: "gtid",
  example: "gtid 0-1-42",
  read: (value) =>
    /^\d{1,10}-\d{1,10}-\d{1,20}$/.test(value)
      ? { sought: value, missing: `no end of transaction ${value}` }
      : { unfit: "a GTID is the numbers of domain, server and transaction" },
};

const placeForm = /^(?<file>.+):(?<offset>\d{1,10})$/;

const binlog: LogTargetWord = {
  word: "binlog",
  example: "binlog binlog.000007:4628",
  read: (value) => {
    const { file, offset } = placeForm.exec(value)?.groups ?? {};
    const name = file === undefined || file.includes("/") ? null : readFileName(file);
    if (name === null || offset === undefined)
      return { unfit: "a place in a binary log is a file and an offset, as SHOW MASTER STATUS tells them" };
    return { sought: `${file}:${Number(offset)}`, missing: `no event that ends at ${value}` };
  },
};

/** From before the event that begins it to behind the one that ends it. */
const findTransaction = async (search: LogTargetSearch): Promise<LogTargetFound | null> => {
  const [first, last] = [placeAt(search.span.from), placeAt(search.span.to)];
  for (let { number } = last; number >= first.number; number -= 1) {
    const file = await openFile(search, number);
    if (file === null) continue;
    let open: { readonly begin: number; readonly isAlone: boolean } | null = null;
    for await (const { event, begin, end } of file.events) {
      if (event.type === eventType.gtid) {
        const found = readGtid(event, file.format);
        open = gtidText(found) === search.sought ? { begin, isAlone: found.isAlone } : null;
        continue;
      }
      if (open === null) continue;
      if (!endsTransaction(event, isQuery(event) ? readQuery(event, file.format) : null, open.isAlone)) continue;
      return { before: positionOf({ number, offset: open.begin }), after: positionOf({ number, offset: end }) };
    }
  }
  return null;
};

/** Only between two events the log can end. */
const findPlace = async (search: LogTargetSearch): Promise<LogTargetFound | null> => {
  const { span, sought } = search;
  const offset = Number(placeForm.exec(sought)?.groups?.["offset"]);
  const number = readFileName(sought.slice(0, sought.lastIndexOf(":")))?.number ?? 0;
  const position = positionOf({ number, offset });
  const [first, last] = [placeAt(span.from), placeAt(span.to)];
  if (number < first.number || number > last.number || placeWords(span.line, position) !== sought) return null;
  const file = await openFile(search, number);
  for await (const { begin, end } of file?.events ?? []) {
    if (begin === offset || end === offset) return { before: position, after: position };
    if (begin > offset) return null;
  }
  return null;
};

export const mariadbTargets: LogTargets = {
  words: [gtid, binlog],
  find: (search) => (search.word === gtid.word ? findTransaction(search) : findPlace(search)),
};
