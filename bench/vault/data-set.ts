/**
 * The files that the vault's bench captures, the same for the same seed: many small texts, one dump of a database, and what no compressor
 * makes smaller. Also what changes between two captures.
 */
import { createCipheriv } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "./seeded-random.ts";

export type DataSetSize = { readonly files: number; readonly megabytes: number };

type Random = () => number;

const megabyte = 1_000_000;
/** Of all bytes, as a site with its database's dump and its pictures has them. */
const shares = { dump: 500 / 1800, incompressible: 300 / 1800 };
const incompressibleFiles = 30;
const filesPerFolder = 100;
const foldersPerFolder = 25;
const poolBytes = 64 * megabyte;
const vocabularySize = 4096;

/** Bytes without any pattern, a part at a time. */
const noise = (seed: number): ((bytes: number) => Buffer) => {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  const cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  return (bytes) => cipher.update(Buffer.alloc(bytes));
};

const makeWords = (random: Random): readonly Buffer[] =>
  Array.from({ length: vocabularySize }, () => {
    const length = 2 + Math.floor(random() * 9);
    return Buffer.from(
      `${Array.from({ length }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join("")} `,
    );
  });

/** Text of words that are as unequally frequent as those of a language; a small file is a piece of it. */
const makePool = (random: Random, bytes: number): Buffer => {
  const words = makeWords(random);
  const pool = Buffer.allocUnsafe(bytes);
  let at = 0;
  while (at < bytes) {
    const word = words[Math.floor(random() ** 3 * vocabularySize)] ?? Buffer.from(" ");
    at += word.copy(pool, at);
    if (random() < 0.08) pool[at - 1] = 10;
  }
  return pool;
};

const smallPath = (index: number): string => {
  const folder = Math.floor(index / filesPerFolder);
  const outer = Math.floor(folder / foldersPerFolder);
  return `pages/${outer}/${folder}/page-${index}.txt`;
};

const writeSmall = (path: string, index: number, bytes: number, pool: Buffer, random: Random): void => {
  const length = Math.min(bytes, pool.length);
  const from = Math.floor(random() * (pool.length - length));
  // No two files are alike, or the vaults would keep one of them.
  writeFileSync(path, Buffer.concat([Buffer.from(`page ${index}\n`), pool.subarray(from, from + length)]));
};

const writeSmallFiles = (folder: string, count: number, bytes: number, random: Random): void => {
  const pool = makePool(random, Math.min(poolBytes, Math.max(bytes, megabyte)));
  // Sizes over three powers of ten: most files are small, most bytes are in the larger ones.
  const weights = Array.from({ length: count }, () => 1000 ** random());
  const unit = bytes / weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    const path = join(folder, smallPath(index));
    if (index % filesPerFolder === 0) mkdirSync(join(path, ".."), { recursive: true });
    writeSmall(path, index, Math.round(weight * unit), pool, random);
  }
};

const dumpRow = (index: number, random: Random): string => {
  const day = new Date(1_700_000_000_000 + index * 7919).toISOString();
  const customer = Math.floor(random() * 1e6);
  const cents = Math.floor(random() * 1e7);
  const state = random() < 0.9 ? "delivered" : "returned";
  return `${index}\t${day}\t${customer}\t${(cents / 100).toFixed(2)}\t${state}\tcustomer-${customer}@mail.example\t${Math.floor(random() * 2 ** 32).toString(16)}\n`;
};

const writeDump = (path: string, bytes: number, random: Random): void => {
  const file = openSync(path, "w");
  try {
    for (let written = 0, index = 0; written < bytes;) {
      let rows = "";
      while (rows.length < megabyte) rows += dumpRow(index++, random);
      written += writeSync(file, rows.slice(0, bytes - written));
    }
  } finally {
    closeSync(file);
  }
};

/** @param folder is made; it must not be there */
export const makeDataSet = (folder: string, { files, megabytes }: DataSetSize, seed = 1): void => {
  mkdirSync(folder);
  const random = seededRandom(seed);
  const dumpBytes = Math.round(megabytes * megabyte * shares.dump);
  const noiseBytes = Math.round(megabytes * megabyte * shares.incompressible);
  const nextNoise = noise(seed);
  mkdirSync(join(folder, "pictures"));
  for (let index = 0; index < incompressibleFiles; index += 1) {
    writeFileSync(
      join(folder, `pictures/picture-${index}.jpg`),
      nextNoise(Math.round(noiseBytes / incompressibleFiles)),
    );
  }
  writeDump(join(folder, "dump.sql"), dumpBytes, random);
  const small = Math.max(1, files - incompressibleFiles - 1);
  writeSmallFiles(folder, small, megabytes * megabyte - dumpBytes - noiseBytes, random);
};

const listSmallFiles = (folder: string): readonly string[] =>
  readdirSync(join(folder, "pages"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** Another content for each hundredth small file, and for a hundredth of the dump, in five places of it. Sizes stay. */
export const changeOnePercent = (folder: string, seed: number): void => {
  const random = seededRandom(seed);
  const paths = listSmallFiles(folder);
  const pool = makePool(random, megabyte);
  for (let index = Math.floor(random() * 100); index < paths.length; index += 100) {
    const path = paths[index] ?? "";
    writeSmall(path, seed, Math.max(0, statSync(path).size - 16), pool, random);
  }
  const dump = join(folder, "dump.sql");
  const { size } = statSync(dump);
  const places = 5;
  const bytes = Math.floor(size / 100 / places);
  const file = openSync(dump, "r+");
  try {
    for (let place = 0; place < places; place += 1) {
      let rows = "";
      while (rows.length < bytes) rows += dumpRow(Math.floor(random() * 1e7), random);
      writeSync(file, rows.slice(0, bytes), Math.floor(((place + random() * 0.8) * size) / places));
    }
  } finally {
    closeSync(file);
  }
};
