/** The contract of component drivers, on what is switched by its path: a folder, and a release behind a link. */
import { mkdir, readFile, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ComponentDriver, DriverContext } from "../../core/ports/driver.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import { describeComponentDriver, type DriverBench } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader, createDirectorySink } from "../../testing/directory-vault.ts";
import { createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { filesBundle } from "./files-bundle.ts";

const [driver] = filesBundle.components as [ComponentDriver];

/** Names, kinds and bytes of all that is there. */
const contentOf = async (path: string): Promise<string> => {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const lines = entries.map(async (entry) => {
    const at = join(entry.parentPath, entry.name);
    const name = at.slice(path.length);
    if (entry.isSymbolicLink()) return `${name} -> ${await readlink(at)}`;
    return entry.isFile() ? `${name} ${await readFile(at, "utf8")}` : `${name}/`;
  });
  return (await Promise.all(lines)).toSorted().join("\n");
};

const openBench = async (kind: "folder" | "link"): Promise<DriverBench> => {
  const folder = await createTestFolder("refloat-files-contract");
  const place = join(folder.path, "srv");
  const path = join(place, "uploads");
  const held = kind === "link" ? join(place, "releases", "1.0") : path;
  await mkdir(join(held, "invoices"), { recursive: true });
  const file = join(held, "invoices", "1.pdf");
  await writeFile(file, "one");
  await symlink("invoices/1.pdf", join(held, "latest"));
  if (kind === "link") await symlink("releases/1.0", path);
  const context = createTestContext({ options: { path }, folder: folder.path, component: "uploads" }) as DriverContext;
  let captures = 0;
  const vault = () => join(folder.path, `vault-${captures}`);
  return {
    driver,
    context,
    capture: async () => {
      captures += 1;
      await mkdir(vault());
      const report = await driver.capture(context, createDirectorySink(vault()), null);
      return {
        name: context.component,
        driver: driver.type,
        snapshot: "0".repeat(64) as SnapshotId,
        newBytes: 0,
        sizeBytes: report.facts.sizeBytes,
        finishedAt: report.window.endAt,
        ...report,
      };
    },
    open: async () => createDirectoryReader(vault()),
    write: () => writeFile(file, "one, and what came later"),
    content: async (location) => contentOf(location ?? path),
    close: folder.remove,
  };
};

describeComponentDriver("a folder", () => openBench("folder"));
describeComponentDriver("a release behind a link", () => openBench("link"));
