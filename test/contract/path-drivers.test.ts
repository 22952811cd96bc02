/** The drivers whose data is a tree, held to the contract of component drivers: a folder, a release behind a link, an application. */
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ComponentDriver } from "../../src/core/ports/driver.ts";
import { filesBundle } from "../../src/drivers/files/files-bundle.ts";
import { processBundle } from "../../src/drivers/process/process-bundle.ts";
import type { SnapshotId } from "../../src/model/identifiers.ts";
import { walkTree } from "../../src/platform/tree-walk.ts";
import { type DriverBench, describeComponentDriver } from "../../src/testing/component-driver-contract.ts";
import { createDirectoryReader, createDirectorySink } from "../../src/testing/directory-vault.ts";
import { createTestContext, createTestFolder } from "../../src/testing/driver-context.ts";
import { writeSampleRelease } from "../../src/testing/sample-application.ts";

const rules = { exclude: [], oneFileSystem: false, signal: new AbortController().signal, unreadable: () => undefined };

const contentOf = async (root: string): Promise<string> => {
  const parts: string[] = [];
  for await (const { path, stats } of walkTree(root, rules)) {
    const content = stats.isFile() ? await readFile(join(root, path.toString()), "utf8") : "";
    parts.push(`${path.toString()} ${stats.mode} ${content}`);
  }
  return parts.join("\n");
};

type Place = { readonly stable: string; readonly tree: string };

const openBench = async (
  driver: ComponentDriver,
  keys: object,
  make: (folder: string) => Promise<Place>,
): Promise<DriverBench> => {
  const folder = await createTestFolder("refloat-contract");
  const { stable, tree } = await make(folder.path);
  const vault = join(folder.path, "vault");
  await mkdir(vault);
  const options = driver.type === "files" ? { path: stable } : { release: stable };
  const context = createTestContext<unknown>({ options: { ...options, ...keys }, folder: folder.path });
  return {
    driver,
    context,
    capture: async () => {
      const report = await driver.capture(context, createDirectorySink(vault), null);
      const snapshot = "0".repeat(64) as SnapshotId;
      const { sizeBytes } = report.facts;
      return {
        name: "app",
        driver: driver.type,
        snapshot,
        newBytes: 0,
        sizeBytes,
        finishedAt: report.window.endAt,
        ...report,
      };
    },
    open: async () => createDirectoryReader(vault),
    write: () => writeFile(join(tree, "server.js"), "// spoilt"),
    content: (location) => contentOf(location ?? stable),
    close: folder.remove,
  };
};

const makeFolder = async (folder: string): Promise<Place> => {
  const tree = join(folder, "srv", "app");
  await writeSampleRelease(tree, "2.5.0");
  return { stable: tree, tree };
};

const makeLink = async (folder: string): Promise<Place> => {
  const tree = join(folder, "srv", "releases", "2.5.0");
  await writeSampleRelease(tree, "2.5.0");
  const stable = join(folder, "srv", "current");
  await symlink("releases/2.5.0", stable);
  return { stable, tree };
};

const [files] = filesBundle.components as [ComponentDriver];
const [application] = processBundle.components as [ComponentDriver];
const start = { start: "node server.js", ports: 65_001 };

describeComponentDriver("files, a folder", () => openBench(files, {}, makeFolder));
describeComponentDriver("files, a release behind a link", () => openBench(files, {}, makeLink));
describeComponentDriver("process, a folder", () => openBench(application, start, makeFolder));
describeComponentDriver("process, a release behind a link", () => openBench(application, start, makeLink));
