/**
 * Writes tar archives as dpkg reads them: GNU format, owners by name and by number, names of any bytes and length. Source: the GNU tar
 * manual, "Basic Tar Format"; dpkg's lib/dpkg/tarfn.c.
 */

export type TarEntry = {
  /** `./usr/lib/libx.so.1`; bytes, since names of files are no text. */
  readonly name: Uint8Array;
  readonly type: "file" | "link" | "symlink" | "directory";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Of a file. */
  readonly sizeBytes: number;
  readonly modifiedSeconds: number;
  /** Of a link: the name of the entry before it; of a symlink: where it leads. */
  readonly target?: Uint8Array;
};

export const tarBlockBytes = 512;
const shortNameBytes = 100;
const types = { file: "0", link: "1", symlink: "2", directory: "5" } as const;

const writeNumber = (header: Buffer, offset: number, width: number, value: number): void => {
  const digits = Math.floor(value).toString(8);
  if (value >= 0 && digits.length < width) {
    header.write(`${digits.padStart(width - 1, "0")}\0`, offset, "latin1");
    return;
  }
  // GNU: what octal digits cannot hold is a number of base 256, its first bit set.
  header.fill(value < 0 ? 0xff : 0, offset, offset + width);
  header.writeBigInt64BE(BigInt(Math.floor(value)), offset + width - 8);
  header.writeUInt8(value < 0 ? 0xff : 0x80, offset);
};

const headerOf = (entry: TarEntry, type: string): Buffer => {
  const header = Buffer.alloc(tarBlockBytes);
  header.set(entry.name.subarray(0, shortNameBytes), 0);
  writeNumber(header, 100, 8, entry.mode & 0o7777);
  writeNumber(header, 108, 8, entry.uid);
  writeNumber(header, 116, 8, entry.gid);
  writeNumber(header, 124, 12, entry.sizeBytes);
  writeNumber(header, 136, 12, entry.modifiedSeconds);
  header.fill(" ", 148, 156);
  header.write(type, 156, "latin1");
  if (entry.target !== undefined) header.set(entry.target.subarray(0, shortNameBytes), 157);
  header.write("ustar  \0", 257, "latin1");
  header.write(entry.user.slice(0, 31), 265);
  header.write(entry.group.slice(0, 31), 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
};

/** Zeros after content of so many bytes, up to the next block. */
export const tarPadding = (sizeBytes: number): Uint8Array =>
  Buffer.alloc((tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes);

const longName = (type: "L" | "K", name: Uint8Array, entry: TarEntry): readonly Uint8Array[] => {
  if (name.length <= shortNameBytes) return [];
  const content = Buffer.concat([name, Buffer.alloc(1)]);
  const { target: _target, ...rest } = entry;
  const header = headerOf({ ...rest, name: Buffer.from("././@LongLink"), sizeBytes: content.length }, type);
  return [header, content, tarPadding(content.length)];
};

/** What stands before the content of an entry. */
export const tarHeader = (entry: TarEntry): Uint8Array =>
  Buffer.concat([
    ...longName("K", entry.target ?? new Uint8Array(), entry),
    ...longName("L", entry.name, entry),
    headerOf(entry, types[entry.type]),
  ]);

/** What stands at the end of an archive. */
export const tarEnd = (): Uint8Array => Buffer.alloc(2 * tarBlockBytes);
