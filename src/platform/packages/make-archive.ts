/**
 * Makes the archive of an installed package again, from its files and from what dpkg keeps of it. Needs no root where its files may be
 * read: owners and modes are written as they are seen. Nothing in it is compressed: the vault does that, and what two versions of a
 * package have in common is then stored once. Source: deb(5).
 */
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { InstalledPackage } from "../../core/packages/debian-package.ts";
import { packageKey } from "../../core/packages/debian-package.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../system-error.ts";
import { readInfo, readInstalledFiles } from "./installed-files.ts";
import { type PackageSystem, askDpkg, dpkgFolder } from "./package-database.ts";
import { type TarEntry, tarEnd, tarHeader, tarPadding } from "./write-tar.ts";

/** Fields of dpkg's status that are none of a package. */
const ofStatus = /^(Status|Conffiles|Config-Version|Triggers-Awaited|Triggers-Pending)$/;
const chunkBytes = 256 * 1024;
const arHeaderBytes = 60;

type Field = { readonly name: string; readonly text: string };

const fieldsOf = (status: string): readonly Field[] =>
  status
    .trimEnd()
    .split(/\n(?=\S)/)
    .map((text) => ({ name: text.slice(0, text.indexOf(":")), text }));

/** Paths of the configuration files that it still has. */
const configurationOf = (fields: readonly Field[]): readonly string[] =>
  (fields.find(({ name }) => name === "Conffiles")?.text ?? "")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(" "))
    .filter((words) => !words.includes("obsolete") && words[0] !== undefined && words[0] !== "")
    .map(([path = ""]) => path);

const plainEntry = (name: string, content: Uint8Array, mode: number): TarEntry => ({
  name: Buffer.from(name),
  type: "file",
  mode,
  uid: 0,
  gid: 0,
  user: "root",
  group: "root",
  sizeBytes: content.length,
  // The same package makes the same bytes, whenever it is made.
  modifiedSeconds: 0,
});

const scripts = new Set(["preinst", "postinst", "prerm", "postrm", "config"]);
/** Written anew: the list of files is the archive's own, the other one follows from the fields. */
const ownEndings = new Set(["list", "conffiles"]);

const controlTar = async (
  system: PackageSystem,
  one: InstalledPackage,
  kept: ReadonlySet<string>,
): Promise<Uint8Array> => {
  const words = [`--root=${system.root}`, "--status", packageKey(one)];
  const fields = fieldsOf(await askDpkg("dpkg-query", words, { signal: system.signal }));
  const control = fields.filter(({ name }) => !ofStatus.test(name)).map(({ text }) => `${text}\n`);
  const conffiles = configurationOf(fields).filter((path) => kept.has(path));
  const members: [string, Uint8Array, number][] = [["./control", Buffer.from(control.join("")), 0o644]];
  if (conffiles.length > 0)
    members.push(["./conffiles", Buffer.from(conffiles.map((path) => `${path}\n`).join("")), 0o644]);
  const names = await readdir(join(system.root, dpkgFolder, "info"));
  for (const prefix of [packageKey(one), one.name]) {
    const endings = names
      .filter((name) => name.startsWith(`${prefix}.`))
      .map((name) => name.slice(prefix.length + 1))
      .filter((ending) => /^[a-z0-9]+$/.test(ending) && !ownEndings.has(ending));
    for (const ending of endings.toSorted()) {
      const content = await readInfo(system, one, ending);
      if (content !== null) members.push([`./${ending}`, content, scripts.has(ending) ? 0o755 : 0o644]);
    }
    if (endings.length > 0) break;
  }
  return Buffer.concat([
    ...members.flatMap(([name, content, mode]) => [
      tarHeader(plainEntry(name, content, mode)),
      content,
      tarPadding(content.length),
    ]),
    tarEnd(),
  ]);
};

const arHeader = (name: string, sizeBytes: number): Buffer =>
  Buffer.from(
    `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(sizeBytes).padEnd(10)}\`\n`,
  );

/** @returns how many bytes were written, all of them as the entry says */
const copyContent = async (target: FileHandle, path: Buffer, entry: TarEntry, signal: AbortSignal): Promise<void> => {
  const source = await open(path, "r").catch((error: unknown) => {
    throw new RefloatError("source.denied", `${path.toString()} cannot be read: ${describeSystemError(error)}`, {
      cause: error,
    });
  });
  try {
    let left = entry.sizeBytes;
    const buffer = Buffer.alloc(Math.min(chunkBytes, Math.max(left, 1)));
    while (left > 0) {
      signal.throwIfAborted();
      const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, left));
      if (bytesRead === 0)
        throw new RefloatError("source.failed", `${path.toString()} became shorter while it was read`);
      await target.writeFile(buffer.subarray(0, bytesRead));
      left -= bytesRead;
    }
  } finally {
    await source.close();
  }
};

/**
 * @param path a new file; what was begun of it stays when this fails
 * @returns what it lacks of what the package brought: paths that are not there any more
 * @throws RefloatError source.denied, source.failed where no archive of it can be made; the signal's reason
 */
export const makeArchive = async (
  system: PackageSystem,
  one: InstalledPackage,
  path: string,
): Promise<{ readonly missing: readonly string[] }> => {
  const { files, missing } = await readInstalledFiles(system, one);
  const present = new Set(files.map(({ entry }) => Buffer.from(entry.name).toString("latin1").replace(/^\./, "")));
  const control = await controlTar(system, one, present);
  const target = await open(path, "wx", 0o600);
  try {
    const format = Buffer.from("2.0\n");
    const before = Buffer.concat([
      Buffer.from("!<arch>\n"),
      arHeader("debian-binary", format.length),
      format,
      arHeader("control.tar", control.length),
      control,
    ]);
    await target.writeFile(before);
    await target.writeFile(arHeader("data.tar", 0));
    const root = { ...plainEntry("./", new Uint8Array(), 0o755), type: "directory" as const };
    await target.writeFile(tarHeader(root));
    for (const file of files) {
      await target.writeFile(tarHeader(file.entry));
      if (file.entry.type !== "file") continue;
      await copyContent(target, file.path, file.entry, system.signal);
      await target.writeFile(tarPadding(file.entry.sizeBytes));
    }
    await target.writeFile(tarEnd());
    const dataBytes = (await target.stat()).size - before.length - arHeaderBytes;
    await target.write(arHeader("data.tar", dataBytes), 0, arHeaderBytes, before.length);
    await target.sync();
  } finally {
    await target.close();
  }
  return { missing };
};
