/** Archives of installed packages: from the cache, made again, and what is said where neither is to be had. A real dpkg judges what is made. */
import { chown, chmod, cp, link, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstalledPackage } from "../../core/packages/debian-package.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type PackageSpec, buildPackage, createPackageRoot, runDpkg } from "../../testing/package-root.ts";
import { makeArchive } from "./make-archive.ts";
import { archiveName, obtainArchive } from "./obtain-archive.ts";
import { readPackages } from "./package-database.ts";

const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;
if (!isRoot)
  process.stderr.write("SKIPPED: archives of packages in a root of their own, which only root can install\n");

let folder: TestFolder;
let root: string;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await createTestFolder("refloat-archives");
  root = await createPackageRoot(at("root"), { id: "debian", version: "12" });
});
afterEach(() => folder.remove());

const install = async (spec: PackageSpec): Promise<{ readonly archive: string; readonly one: InstalledPackage }> => {
  const archive = await buildPackage(folder.path, spec);
  await runDpkg(root, "--install", archive);
  const one = (await readPackages({ root, signal })).find(({ name }) => name === spec.name);
  if (one === undefined) throw new Error(`${spec.name} was not installed`);
  return { archive, one };
};

/** Type, mode, owner, size, name and target of each, and the bytes of all. */
const contentOf = async (archive: string): Promise<string> => {
  const listed = await execa("sh", [
    "-c",
    'dpkg-deb --fsys-tarfile "$0" | tar tv --quoting-style=escape --numeric-owner --full-time | sed "s/ 20[0-9-]* [0-9:]* / /; s/ 1970[0-9-]* [0-9:]* / /; s/  */ /g" | sort',
    archive,
  ]);
  const content = await execa("sh", ["-c", 'dpkg-deb --fsys-tarfile "$0" | tar xO | sha256sum', archive]);
  return `${listed.stdout}\n${content.stdout}`;
};

const long = "x".repeat(180);

describe.skipIf(!isRoot)("the archive of an installed package", { timeout: 60_000 }, () => {
  it("is made again, with names of any bytes, links, owners, scripts and configuration, so that dpkg installs the same", async () => {
    const { archive, one } = await install({
      name: "odd",
      version: "1:2.0~rc1-1",
      files: {
        "/etc/odd.conf": "a = 1\n",
        "/usr/lib/odd/with space": "1",
        "/usr/lib/odd/-rf": "2",
        '/usr/lib/odd/back\\slash and "quotes" $(touch x)': "3",
        "/usr/lib/odd/latin \xe9": "4",
        [`/usr/lib/odd/${long}/${long}`]: "5",
        "/usr/lib/odd/big": Buffer.alloc(700_001, "b"),
        "/usr/lib/odd/empty": "",
      },
      conffiles: ["/etc/odd.conf"],
      scripts: { prerm: "#!/bin/true\n" },
      arrange: async (tree) => {
        await symlink(`../${long}`, join(tree, "usr/lib/odd/link"));
        await link(join(tree, "usr/lib/odd/-rf"), join(tree, "usr/lib/odd/hard"));
        await chmod(join(tree, "usr/lib/odd/big"), 0o4750);
      },
    });
    // dpkg gives it an owner by its scripts, as packages of servers do.
    await chown(join(root, "usr/lib/odd/big"), 33, 70_000);
    await chmod(join(root, "usr/lib/odd/big"), 0o4750);
    const made = at("made.deb");
    expect(await makeArchive({ root, signal }, one, made)).toEqual({ missing: [] });
    const before = await contentOf(archive);
    const after = await contentOf(made);
    expect(after).toBe(before.replace(/-rwsr-x--- 0\/0 /, "-rwsr-x--- 33/70000 "));
    expect(after).toContain(String.raw`latin \351`);
    for (const path of [archive, made]) await execa("dpkg-deb", ["--control", path, `${path}.control`]);
    const controls = await Promise.all(
      [archive, made].map(async (path) => (await readFile(`${path}.control/control`, "utf8")).split("\n").toSorted()),
    );
    expect(controls[1]).toEqual(controls[0]);
    for (const name of ["prerm", "conffiles"])
      expect(await readFile(`${made}.control/${name}`)).toEqual(await readFile(`${archive}.control/${name}`));
    const other = await createPackageRoot(at("other"), { id: "debian", version: "12" });
    await runDpkg(other, "--install", made);
    expect((await execa("dpkg", [`--root=${other}`, "--verify", "odd"])).stdout).toBe("");
    // The same package makes the same archive, so that a vault has it once.
    await makeArchive({ root, signal }, one, at("again.deb"));
    expect(await readFile(at("again.deb"))).toEqual(await readFile(made));
  });

  it("names what differs and what is not there", async () => {
    const { one } = await install({
      name: "lib",
      version: "1.0",
      files: {
        "/etc/lib.conf": "a\n",
        "/usr/lib/lib.so": "so",
        "/usr/lib/gone": "1",
        "/usr/share/doc/lib/copyright": "c",
      },
      conffiles: ["/etc/lib.conf"],
    });
    await writeFile(join(root, "etc/lib.conf"), "b\n");
    await rm(join(root, "usr/lib/gone"));
    await rm(join(root, "usr/share/doc/lib/copyright"));
    const obtained = await obtainArchive({ root, signal }, one, at("lib.deb"));
    expect(obtained).toEqual({
      from: "files",
      notes: [
        "/etc/lib.conf differs from what the package brought: its archive has what is there",
        "its archive is without /usr/lib/gone, which the package brought and which is not there",
        "its archive is without 1 file of documentation, which are not there",
      ],
    });
    const { stdout } = await execa("sh", ["-c", 'dpkg-deb --fsys-tarfile "$0" | tar xO ./etc/lib.conf', at("lib.deb")]);
    expect(stdout).toBe("b");
  });

  it("is apt's where it is the one that dpkg installed, and not where another one bears its name", async () => {
    const { archive, one } = await install({
      name: "lib",
      version: "1:1.0",
      files: { "/usr/lib/lib.so": "so" },
      checksums: true,
    });
    const cached = join(root, "var/cache/apt/archives", archiveName(one));
    expect(cached).toMatch(/lib_1%3a1\.0_amd64\.deb$/);
    await mkdir(dirname(cached), { recursive: true });
    await cp(archive, cached);
    expect(await obtainArchive({ root, signal }, one, at("a.deb"))).toEqual({ from: "cache", notes: [] });
    expect(await readFile(at("a.deb"))).toEqual(await readFile(archive));
    const forged = await buildPackage(at("root"), {
      name: "lib",
      version: "1:1.0",
      files: { "/usr/lib/lib.so": "no" },
      checksums: true,
    });
    await cp(forged, cached);
    expect(await obtainArchive({ root, signal }, one, at("b.deb"))).toEqual({
      from: "files",
      notes: ["its archive in apt's cache has other checksums than dpkg has of the package and was not taken"],
    });
    await writeFile(cached, "!<arch>\nnothing");
    expect(await obtainArchive({ root, signal }, one, at("c.deb"))).toMatchObject({
      from: "files",
      notes: ["its archive in apt's cache cannot be read and was not taken"],
    });
  });

  it("is not made of what another package has diverted, of a pipe, or of what leads elsewhere, and says so", async () => {
    const { one } = await install({ name: "lib", version: "1.0", files: { "/usr/lib/lib.so": "so" } });
    await writeFile(join(root, "var/lib/dpkg/diversions"), "/usr/lib/lib.so\n/usr/lib/lib.so.other\nother\n");
    const lacking = async () => {
      const obtained = await obtainArchive({ root, signal }, one, at("lib.deb"));
      return "lacking" in obtained ? obtained.lacking : obtained;
    };
    expect(await lacking()).toContain("/usr/lib/lib.so is diverted by another package");
    await rm(join(root, "var/lib/dpkg/diversions"));
    await rm(join(root, "usr/lib/lib.so"));
    await execa("mkfifo", [join(root, "usr/lib/lib.so")]);
    expect(await lacking()).toContain("/usr/lib/lib.so is a device, a socket or a pipe");
    await writeFile(join(root, "var/lib/dpkg/info/lib.list"), "/.\n/usr/../../etc/shadow\n");
    expect(await lacking()).toContain('names "/usr/../../etc/shadow"');
    await expect(readFile(at("lib.deb"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
