/**
 * The pages of a bolt file (go.etcd.io/bbolt: page.go, db.go, bucket.go), read by ranges and in the order of the file: headers, branch and leaf elements,
 * each held against what leads to it. Knows nothing of what etcd keeps in them. bolt has no checksum of pages: bytes are verified by whoever gives them.
 */
import { RefloatError } from "../../model/refloat-error.ts";

export type RangeReader = {
  /** Of the bolt file alone. */
  readonly sizeBytes: number;
  /** @returns exactly so many bytes, in `into` where that is given, which has the room */
  readonly read: (offset: number, lengthBytes: number, into?: Buffer) => Promise<Buffer>;
};

export type BoltFile = RangeReader & {
  readonly pageBytes: number;
  /** Pages from here on are not in use. */
  readonly endPage: number;
  /** Of the bucket that names all others. */
  readonly rootPage: number;
};

export type PageKind = "branch" | "leaf";

/** A page to be read, with the keys that whatever leads there says that it has: from (latin1) up to, and without, to. */
export type PageRef = { readonly page: number; readonly from: string; readonly to: string | null };

/** A page with all that overflows it, or one that lies within a value. */
export type BoltPage = PageRef & {
  /** For people: where it is. */
  readonly place: string;
  /** Of its first byte in the file. */
  readonly offset: number;
  readonly kind: PageKind;
  readonly count: number;
  readonly bytes: Buffer;
};

export type LeafEntry = {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Of the value's first byte in the file. */
  readonly valueOffset: number;
  readonly isBucket: boolean;
};

export const pageHeadBytes = 16;
const elementBytes = 16;
const flagsOf = { branch: 0x01, leaf: 0x02 } as const;
const bucketFlag = 0x01;
const metaMagic = 0xed_0c_da_ed;
const metaVersion = 2;
/** Of the meta after the page's head, without its checksum. */
const metaBytes = 56;
const pageSizes = [4096, 8192, 16_384, 32_768, 65_536, 1024, 2048];
const mostPageBytes = 65_536;

/** Of one page with what overflows it: more than any value that a server takes. */
const mostOverflowBytes = 268_435_456;

/** Pages that lie closer are read as one, in runs of so much. */
const runGapBytes = 1_048_576;
const runBytes = 8_388_608;

export const damagedPlace = (place: string, why: string): RefloatError =>
  new RefloatError("point.damaged", `the captured database is damaged: ${place} ${why}`, {
    hint: "the whole capture may still restore, and another point may have what is looked for",
  });

/** FNV-1a, 64 bits. */
const checksumOf = (bytes: Uint8Array): bigint => {
  let hash = 0xcb_f2_9c_e4_84_22_23_25n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x1_00_00_00_01_b3n);
  return hash;
};

type Meta = Pick<BoltFile, "pageBytes" | "endPage" | "rootPage"> & { readonly transaction: bigint };

const readMeta = (bytes: Buffer): Meta | null => {
  if (bytes.length < pageHeadBytes + metaBytes + 8) return null;
  const meta = bytes.subarray(pageHeadBytes);
  if (meta.readUInt32LE(0) !== metaMagic || meta.readUInt32LE(4) !== metaVersion) return null;
  if (checksumOf(meta.subarray(0, metaBytes)) !== meta.readBigUInt64LE(metaBytes)) return null;
  const pageBytes = meta.readUInt32LE(8);
  if (!pageSizes.includes(pageBytes)) return null;
  return {
    pageBytes,
    rootPage: Number(meta.readBigUInt64LE(16)),
    endPage: Number(meta.readBigUInt64LE(40)),
    transaction: meta.readBigUInt64LE(48),
  };
};

/** @throws RefloatError point.damaged */
export const openBolt = async (reader: RangeReader): Promise<BoltFile> => {
  const head = await reader.read(0, Math.min(reader.sizeBytes, mostPageBytes * 2));
  // The second meta lies at the length of a page, which only the first one tells.
  const metas = [0, ...pageSizes].flatMap((at) => {
    const meta = readMeta(head.subarray(at));
    return meta === null || (at !== 0 && at !== meta.pageBytes) ? [] : [meta];
  });
  const [newest] = metas.toSorted((a, b) => (a.transaction < b.transaction ? 1 : -1));
  if (newest === undefined) throw damagedPlace("its beginning", "is none of a bolt file");
  const { pageBytes, endPage, rootPage } = newest;
  if (endPage * pageBytes > reader.sizeBytes)
    throw damagedPlace(
      `its end (byte ${reader.sizeBytes})`,
      `comes before the last of its ${endPage} pages of ${pageBytes} bytes`,
    );
  return { ...reader, pageBytes, endPage, rootPage };
};

const placeOf = ({ pageBytes }: BoltFile, page: number): string => `page ${page} (byte ${page * pageBytes})`;

const kindOfFlags = (flags: number): PageKind | null =>
  flags === flagsOf.branch ? "branch" : flags === flagsOf.leaf ? "leaf" : null;

/** Which pages have been come by: none is led to twice, or a damaged file could be read without end. */
export class PageSet {
  readonly #bits: Uint8Array;

  constructor(file: BoltFile) {
    this.#bits = new Uint8Array(Math.ceil(file.endPage / 8));
  }

  /** @returns false if one of them was there */
  addRange(first: number, count: number): boolean {
    for (let page = first; page < first + count; page += 1) {
      const [at, bit] = [page >> 3, 1 << (page & 7)];
      const bits = this.#bits[at] ?? 0;
      if ((bits & bit) !== 0) return false;
      this.#bits[at] = bits | bit;
    }
    return true;
  }
}

/** @throws RefloatError point.damaged for one that lies outside */
const requireInside = (file: BoltFile, page: number): void => {
  // The first two are the metas.
  if (!Number.isSafeInteger(page) || page < 2 || page >= file.endPage)
    throw damagedPlace(`page ${page}`, `is led to, and lies outside of the ${file.endPage} pages in use`);
};

const runsOf = (file: BoltFile, refs: readonly PageRef[]): readonly (readonly PageRef[])[] => {
  const runs: PageRef[][] = [];
  let [first, last] = [0, 0];
  for (const ref of refs) {
    const run = runs.at(-1);
    const isNear = (ref.page - last) * file.pageBytes <= runGapBytes && (ref.page - first) * file.pageBytes < runBytes;
    if (run !== undefined && isNear) run.push(ref);
    else {
      runs.push([ref]);
      first = ref.page;
    }
    last = ref.page;
  }
  return runs;
};

/**
 * Pages in the order of the file. The bytes of one are good until the next is asked for.
 * @param used where given, all pages that are read are put into it
 * @throws RefloatError point.damaged, source.unsupported, vault.*
 */
export async function* readPages(
  file: BoltFile,
  refs: readonly PageRef[],
  { kind, used, signal }: { readonly kind?: PageKind; readonly used?: PageSet; readonly signal: AbortSignal },
): AsyncGenerator<BoltPage> {
  const { pageBytes } = file;
  for (const { page } of refs) requireInside(file, page);
  // The runs of a large file would be a large part of it before their memory is taken back.
  let scratch: Buffer = Buffer.alloc(0);
  for (const run of runsOf(
    file,
    refs.toSorted((a, b) => a.page - b.page),
  )) {
    signal.throwIfAborted();
    const begin = (run[0]?.page ?? 0) * pageBytes;
    const wantedBytes = ((run.at(-1)?.page ?? 0) + 1) * pageBytes - begin;
    if (scratch.length < wantedBytes) scratch = Buffer.allocUnsafe(wantedBytes);
    const bytes = await file.read(begin, wantedBytes, scratch);
    for (const ref of run) {
      const [offset, place] = [ref.page * pageBytes, placeOf(file, ref.page)];
      const at = offset - begin;
      if (bytes.readBigUInt64LE(at) !== BigInt(ref.page)) throw damagedPlace(place, "has the number of another page");
      const found = kindOfFlags(bytes.readUInt16LE(at + 8));
      if (found === null || (kind !== undefined && found !== kind))
        throw damagedPlace(place, `is no ${kind ?? "branch or leaf"} page`);
      const overflow = bytes.readUInt32LE(at + 12);
      if (ref.page + overflow >= file.endPage) throw damagedPlace(place, "goes on behind the end of the file");
      if (used?.addRange(ref.page, overflow + 1) === false) throw damagedPlace(place, "is led to twice");
      const wholeBytes = (overflow + 1) * pageBytes;
      if (wholeBytes > mostOverflowBytes)
        throw new RefloatError("source.unsupported", `${place} of the captured database has ${wholeBytes} bytes`, {
          hint: "such values are not read here: restore the capture beside, and ask that server",
        });
      const isWhole = at + wholeBytes <= bytes.length;
      yield {
        ...ref,
        place,
        offset,
        kind: found,
        count: bytes.readUInt16LE(at + 10),
        bytes: isWhole ? bytes.subarray(at, at + wholeBytes) : await file.read(offset, wholeBytes),
      };
    }
  }
}

/** The page that a small bucket has within its value, behind its head. */
export const inlinePage = (value: Buffer, offset: number): BoltPage => {
  const place = `a bucket within another one (byte ${offset})`;
  if (value.length < pageHeadBytes) throw damagedPlace(place, "is shorter than a page's head");
  if (kindOfFlags(value.readUInt16LE(8)) !== "leaf") throw damagedPlace(place, "is no leaf page");
  return { page: 0, from: "", to: null, place, offset, kind: "leaf", count: value.readUInt16LE(10), bytes: value };
};

/** Where element `index` has its key, which stands `pos` behind the element itself. */
const partOf = (page: BoltPage, index: number, pos: number, lengthBytes: number): number => {
  const at = pageHeadBytes + index * elementBytes + pos;
  if (at < pageHeadBytes + page.count * elementBytes || at + lengthBytes > page.bytes.length)
    throw damagedPlace(page.place, `has an element (${index}) that lies outside of it`);
  return at;
};

const requireElements = ({ place, count, bytes }: BoltPage): void => {
  if (pageHeadBytes + count * elementBytes > bytes.length)
    throw damagedPlace(place, `says that it has ${count} elements, for which it has no room`);
};

/** @param before key of the element before, latin1; null for the first */
const requireOrder = (page: BoltPage, index: number, key: string, before: string | null): void => {
  const isInside = key >= page.from && (page.to === null || key < page.to);
  if (!isInside || (before !== null && key <= before))
    throw damagedPlace(page.place, `has a key (of element ${index}) that does not belong there`);
};

/** @throws RefloatError point.damaged */
export const childrenOf = (page: BoltPage): readonly PageRef[] => {
  requireElements(page);
  const found: { page: number; from: string; to: string | null }[] = [];
  for (let index = 0; index < page.count; index += 1) {
    const at = pageHeadBytes + index * elementBytes;
    const keyBytes = page.bytes.readUInt32LE(at + 4);
    const keyAt = partOf(page, index, page.bytes.readUInt32LE(at), keyBytes);
    const from = page.bytes.toString("latin1", keyAt, keyAt + keyBytes);
    const last = found.at(-1);
    requireOrder(page, index, from, last?.from ?? null);
    if (last !== undefined) last.to = from;
    found.push({ page: Number(page.bytes.readBigUInt64LE(at + 8)), from, to: page.to });
  }
  if (found.length === 0) throw damagedPlace(page.place, "leads nowhere");
  return found;
};

/** Their bytes are those of the page. @throws RefloatError point.damaged */
export function* entriesOf(page: BoltPage): Generator<LeafEntry> {
  requireElements(page);
  let before: string | null = null;
  for (let index = 0; index < page.count; index += 1) {
    const at = pageHeadBytes + index * elementBytes;
    const [keyBytes, valueBytes] = [page.bytes.readUInt32LE(at + 8), page.bytes.readUInt32LE(at + 12)];
    const keyAt = partOf(page, index, page.bytes.readUInt32LE(at + 4), keyBytes + valueBytes);
    const valueAt = keyAt + keyBytes;
    const key = page.bytes.subarray(keyAt, valueAt);
    const name = key.toString("latin1");
    requireOrder(page, index, name, before);
    before = name;
    yield {
      key,
      value: page.bytes.subarray(valueAt, valueAt + valueBytes),
      valueOffset: page.offset + valueAt,
      isBucket: (page.bytes.readUInt32LE(at) & bucketFlag) !== 0,
    };
  }
}
