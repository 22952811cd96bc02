/**
 * Writes a tar archive in the pax format as a stream: modes, owners, times to the nanosecond, links and devices, names of any bytes. Holds
 * no more than one piece of one file. What is to be in it, and in which order, is the caller's.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream";
import { createZstdCompress } from "node:zlib";
import { Header, type HeaderData } from "tar";
import type { ByteStream } from "../core/ports/bytes.ts";
import type { ArchiveEntry } from "../core/ports/new-places.ts";
import { isText, lossyText } from "../core/text/shown-name.ts";
import { RefloatError } from "../model/refloat-error.ts";

const blockBytes = 512;
/** What an octal field of eight bytes holds. */
const largestId = 0o7777777;
/** Beyond what a field of the old header holds. */
const largestSize = 8 * 1024 ** 3 - 1;
const shortAscii = /^[ -~]{1,31}$/;

const types = {
  file: "File",
  dir: "Directory",
  symlink: "SymbolicLink",
  dev: "BlockDevice",
  chardev: "CharacterDevice",
  fifo: "FIFO",
} as const;

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
const record = (key: string, value: Uint8Array | string): Buffer => {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from("\n")]);
  let length = body.length + String(body.length).length;
  if (body.length + String(length).length > length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), body]);
};

const fitsOldHeader = (name: Uint8Array): boolean =>
  name.length < 100 && name.every((byte) => byte >= 0x20 && byte < 0x7f);

/** Seconds with nine digits, rounded nowhere. */
const preciseTime = (ns: bigint): string => {
  const negative = ns < 0n;
  const digits = String(negative ? -ns : ns).padStart(10, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
};

const padding = (length: number): Uint8Array => new Uint8Array((blockBytes - (length % blockBytes)) % blockBytes);

const headerBlock = (data: HeaderData): Buffer => {
  const header = new Header(data);
  header.encode();
  return header.block ?? Buffer.alloc(blockBytes);
};

/** Farther than this no field of time reaches; the exact one stands in the extended header. */
const secondsOf = (ns: bigint): Date =>
  new Date(Math.max(0, Math.min(Number(ns / 1_000_000_000n), 0o77777777777)) * 1000);

type Described = { readonly header: HeaderData; readonly extended: Buffer };

const describeEntry = ({ name, entry, linkTo }: ArchiveEntry, type: (typeof types)[keyof typeof types]): Described => {
  const isFolder = type === "Directory";
  const path = isFolder ? Buffer.concat([name, Buffer.from("/")]) : name;
  const target = linkTo ?? entry.linkTarget;
  const size = type === "File" && linkTo === null ? entry.sizeBytes : 0;
  const records: Buffer[] = [record("mtime", preciseTime(entry.modifiedNs))];
  const binary = !isText(path) || (target !== null && !isText(target));
  // Readers that would convert the names from UTF-8 are told that they are mere bytes.
  if (binary) records.unshift(record("hdrcharset", "BINARY"));
  if (!fitsOldHeader(path)) records.push(record("path", path));
  if (target !== null && !fitsOldHeader(target)) records.push(record("linkpath", target));
  if (size > largestSize) records.push(record("size", String(size)));
  for (const [key, id] of [
    ["uid", entry.uid],
    ["gid", entry.gid],
  ] as const) {
    if (id > largestId) records.push(record(key, String(id)));
  }
  for (const [key, text] of [
    ["uname", entry.user],
    ["gname", entry.group],
  ] as const) {
    if (text !== "" && !shortAscii.test(text)) records.push(record(key, text));
  }
  return {
    header: {
      path: fitsOldHeader(path) ? lossyText(path) : "long-name",
      type: linkTo === null ? type : "Link",
      mode: entry.mode,
      uid: Math.min(entry.uid, largestId),
      gid: Math.min(entry.gid, largestId),
      size,
      mtime: secondsOf(entry.modifiedNs),
      uname: shortAscii.test(entry.user) ? entry.user : "",
      gname: shortAscii.test(entry.group) ? entry.group : "",
      ...(target === null ? {} : { linkpath: fitsOldHeader(target) ? lossyText(target) : "long-name" }),
      ...(entry.device === null ? {} : { devmaj: entry.device.major, devmin: entry.device.minor }),
    },
    extended: Buffer.concat(records),
  };
};

async function* contentOf({ entry, content, name }: ArchiveEntry): ByteStream {
  let length = 0;
  for await (const part of content ?? []) {
    length += part.length;
    if (length > entry.sizeBytes) break;
    yield part;
  }
  // The header with the size is written by now: one byte more or less, and all that follows is garbage.
  if (length !== entry.sizeBytes) {
    throw new RefloatError("vault.damaged", `${lossyText(name)} has another size than its folder says`, {
      context: { path: lossyText(name), sizeBytes: entry.sizeBytes },
      state: "the archive is not complete and not to be used",
    });
  }
  yield padding(length);
}

async function* tarBytes(entries: AsyncIterable<ArchiveEntry>): ByteStream {
  for await (const item of entries) {
    const { type } = item.entry;
    if (type === "socket" || type === "irregular") continue;
    const { header, extended } = describeEntry(item, types[type]);
    yield headerBlock({ path: "pax-header", type: "ExtendedHeader", mode: 0o644, size: extended.length });
    yield Buffer.concat([extended, padding(extended.length)]);
    yield headerBlock(header);
    if (header.type === "File") yield* contentOf(item);
  }
  yield Buffer.alloc(2 * blockBytes);
}

/** Ends with an error where the entries do; what came before is then no whole archive. */
export const tarArchive = (entries: AsyncIterable<ArchiveEntry>, compression: "none" | "zstd"): ByteStream => {
  if (compression === "none") return tarBytes(entries);
  return (async function* compressed(): ByteStream {
    const zstd = createZstdCompress();
    // The error of any part reaches whoever reads the last one.
    pipeline(
      Readable.from(tarBytes(entries), { objectMode: false, highWaterMark: 1024 * 1024 }),
      zstd,
      () => undefined,
    );
    yield* zstd as AsyncIterable<Uint8Array>;
  })();
};
