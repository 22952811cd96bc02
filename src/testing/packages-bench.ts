/** Points with packages of a test, in a folder, and systems that they are installed into by a real dpkg. */
import { cp, mkdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createHash } from "node:crypto";
import { execa } from "execa";
import type { PackageArchive } from "../model/fingerprint.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import type { TestContextOptions } from "./driver-context.ts";
import { type PackageSpec, buildPackage } from "./package-root.ts";

export const release = { id: "debian", version: "12" } as const;

/** What a capture of `app` would have of it. @param folder where the archive comes to lie below the path that it has in the snapshot */
export const archiveInPoint = async (folder: string, spec: PackageSpec): Promise<PackageArchive> => {
  const built = await buildPackage(await made(join(folder, "built")), spec);
  const file = `/refloat-packages/${basename(built)}`;
  const path = join(folder, "point", file);
  await mkdir(dirname(path), { recursive: true });
  await cp(built, path);
  return {
    name: spec.name,
    version: spec.version,
    architecture: spec.architecture ?? "amd64",
    depends: [spec.preDepends, spec.depends].filter((part) => part !== undefined).join(", "),
    preDepends: spec.preDepends ?? "",
    provides: spec.provides ?? "",
    conflicts: spec.conflicts ?? "",
    archive: {
      file,
      sha256: createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
      sizeBytes: (await stat(path)).size,
      from: "files",
    },
    notes: [],
  };
};

const made = async (path: string): Promise<string> => {
  await mkdir(path, { recursive: true });
  return path;
};

export const pointOf = (
  folder: string,
  archives: readonly PackageArchive[],
  os: { readonly id: string; readonly version: string } = release,
): NonNullable<TestContextOptions<unknown>["point"]> => ({
  folder: join(folder, "point"),
  components: {
    app: {
      name: "app",
      fingerprint: {
        os: { ...os, kernel: "6.1.0", architecture: "x64" },
        libraries: [],
        packages: [],
        environment: [],
        archives: [...archives],
      },
    } as unknown as CapturedComponent,
  },
});

/** A shell inside, so that packages there can have scripts. */
export const bringShell = async (root: string): Promise<void> => {
  for (const program of ["/bin/sh", "/bin/sleep", "/bin/true", "/bin/echo"]) {
    const { stdout } = await execa("ldd", [program]);
    const files = [program, ...stdout.split("\n").flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? [])];
    for (const file of files) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await cp(file, join(root, file), { dereference: true });
    }
  }
};
