/** Systems of a folder each, in which a real dpkg installs small packages that a test makes: nothing of them reaches this machine. */
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";

export type PackageSpec = {
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  readonly depends?: string;
  readonly preDepends?: string;
  readonly provides?: string;
  readonly conflicts?: string;
  readonly replaces?: string;
  /** Content by path below the root of the package; names are latin1, byte by byte. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly conffiles?: readonly string[];
  /** Content by name: `postinst`. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** With md5sums of its own, as packages of Debian have; dpkg makes them where they are left out. */
  readonly checksums?: boolean;
  /** Does more to the tree before it is packed. */
  readonly arrange?: (tree: string) => Promise<void>;
};

/** @returns the archive, in `folder` */
export const buildPackage = async (folder: string, spec: PackageSpec): Promise<string> => {
  const { name, version, architecture = "amd64" } = spec;
  const tree = join(folder, `${name}-${version.replaceAll(":", "_")}.tree`);
  await mkdir(join(tree, "DEBIAN"), { recursive: true });
  const fields = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    "Maintainer: Nobody <nobody@example.com>",
    ...(spec.preDepends === undefined ? [] : [`Pre-Depends: ${spec.preDepends}`]),
    ...(spec.depends === undefined ? [] : [`Depends: ${spec.depends}`]),
    ...(spec.provides === undefined ? [] : [`Provides: ${spec.provides}`]),
    ...(spec.conflicts === undefined ? [] : [`Conflicts: ${spec.conflicts}`]),
    ...(spec.replaces === undefined ? [] : [`Replaces: ${spec.replaces}`]),
    "Description: made by a test\n of two lines",
  ];
  await writeFile(join(tree, "DEBIAN/control"), `${fields.join("\n")}\n`);
  for (const [path, content] of Object.entries(spec.files ?? { [`/usr/share/${name}/file`]: name })) {
    const real = Buffer.from(join(tree, path), "latin1");
    await mkdir(Buffer.from(dirname(join(tree, path)), "latin1"), { recursive: true });
    await writeFile(real, content);
    await chmod(real, 0o644);
  }
  if (spec.conffiles !== undefined)
    await writeFile(join(tree, "DEBIAN/conffiles"), spec.conffiles.map((path) => `${path}\n`).join(""));
  for (const [script, text] of Object.entries(spec.scripts ?? {})) {
    await writeFile(join(tree, "DEBIAN", script), text);
    await chmod(join(tree, "DEBIAN", script), 0o755);
  }
  await execa("chmod", ["-R", "go-w,a+rX", tree]);
  if (process.getuid?.() === 0) await chown(tree, 0, 0);
  await spec.arrange?.(tree);
  const sums = "find . -type f ! -path './DEBIAN/*' -printf '%P\\0' | sort -z | xargs -0 md5sum > DEBIAN/md5sums";
  if (spec.checksums === true) await execa("sh", ["-c", sums], { cwd: tree });
  const archive = join(folder, `${name}_${version.replaceAll(":", "%3a")}_${architecture}.deb`);
  await execa("dpkg-deb", ["--build", "-Zgzip", "--root-owner-group", tree, archive]);
  return archive;
};

/** A root in which nothing is installed, of the Debian release of these words. */
export const createPackageRoot = async (
  path: string,
  release: { readonly id: string; readonly version: string },
): Promise<string> => {
  for (const name of ["info", "updates", "triggers"])
    await mkdir(join(path, "var/lib/dpkg", name), { recursive: true });
  await mkdir(join(path, "var/log"), { recursive: true });
  await mkdir(join(path, "etc"), { recursive: true });
  await writeFile(join(path, "var/lib/dpkg/status"), "");
  await writeFile(join(path, "etc/os-release"), `ID=${release.id}\nVERSION_ID="${release.version}"\n`);
  return path;
};

/** By root alone. @returns what dpkg said */
export const runDpkg = async (root: string, ...words: readonly string[]): Promise<string> => {
  const options = [`--root=${root}`, `--log=${root}/var/log/dpkg.log`, "--force-unsafe-io"];
  const { all } = await execa("dpkg", [...options, ...words], { env: { LC_ALL: "C" }, all: true });
  return all;
};
