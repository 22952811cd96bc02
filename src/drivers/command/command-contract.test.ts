/** The contract of component drivers, on a name that is a path and on one that its own line switches. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { vi } from "vitest";
import {
  captureCommandInto,
  commandContext,
  commandDriver,
  fillFolder,
  folderPlugin,
  readFolder,
  tarByLine,
  tarByPath,
} from "../../testing/command-bench.ts";
import { type DriverBench, describeComponentDriver } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";

vi.setConfig({ testTimeout: 300_000 });

type Way = { readonly isPath: boolean; readonly isPlugin: boolean };

const openBench = async ({ isPath, isPlugin }: Way): Promise<DriverBench> => {
  const folder = await createTestFolder("refloat-command");
  const root = join(folder.path, "srv");
  await mkdir(root);
  const live = join(root, "it is; $(live)");
  const stable = isPath ? live : join(root, "search");
  await fillFolder(stable);
  const lines = isPath ? tarByPath(live) : tarByLine(root, "search");
  const plugin = isPath
    ? { plugin: folderPlugin, name: live }
    : { plugin: folderPlugin, name: "search", options: { root }, environment: { SWITCHES: "1" } };
  const context = commandContext(folder.path, isPlugin ? plugin : lines);
  let captures = 0;
  let revision = 7;
  const placeOf = (location: string | null): string =>
    location === null ? stable : isPath ? location : join(root, location);
  return {
    driver: commandDriver,
    context,
    capture: () => captureCommandInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: () => writeFile(join(stable, "revision"), `${(revision += 1)}\n`),
    content: (location) => readFolder(placeOf(location)),
    close: folder.remove,
  };
};

describeComponentDriver("a folder at a path, by tar", () => openBench({ isPath: true, isPlugin: false }));
describeComponentDriver("a folder that a line switches, by tar", () => openBench({ isPath: false, isPlugin: false }));
describeComponentDriver("a folder at a path, by a plugin", () => openBench({ isPath: true, isPlugin: true }));
describeComponentDriver("a folder that its plugin switches", () => openBench({ isPath: false, isPlugin: true }));
