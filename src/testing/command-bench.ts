/** A folder that `tar` captures and restores by declared lines: the smallest real tool that a `command` component can stand for. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { commandBundle } from "../drivers/command/command-bundle.ts";
import type { ComponentDriver, DriverContext } from "../core/ports/driver.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { type TestContextOptions, createTestContext } from "./driver-context.ts";

const find = (): ComponentDriver => {
  const [driver] = commandBundle.components;
  if (driver === undefined) throw new RefloatError("bug", "the command bundle brings no component");
  return driver;
};

export const commandDriver: ComponentDriver = find();

/** A plugin for tests, with faults by FAULT. */
export const folderPlugin = join(import.meta.dirname, "../../test/fixtures/plugins/folder-plugin.cjs");

type Options = Readonly<Record<string, unknown>>;

/** The place that a line is about, by its name alone or below `ROOT`. */
const tarLines = (place: string) => ({
  capture: `tar -C "${place}" --sort=name -cf - .`,
  restore: `mkdir "${place}" && tar -C "${place}" -xf -`,
  inspect: `if [ -e "${place}" ]; then echo done; else echo absent; fi`,
  drop: `rm -rf -- "${place}"`,
  facts: `printf '{"files": %s, "hash": "%s"}\\n' "$(find "${place}" -type f | wc -l)" "$(cd "${place}" && cat ./* | sha256sum | cut -c 1-16)"`,
  position: `cat "${place}/revision"`,
});

/** A stable name that is a path: Refloat switches it. */
export const tarByPath = (path: string): Options => ({ name: path, ...tarLines("$REFLOAT_NAME") });

/** A stable name that is a word: its own line switches it. */
export const tarByLine = (root: string, name: string): Options => ({
  name,
  ...tarLines("$ROOT/$REFLOAT_NAME"),
  environment: { ROOT: root },
  switch:
    'set -e; [ ! -e "$ROOT/$REFLOAT_STABLE" ] || mv "$ROOT/$REFLOAT_STABLE" "$ROOT/$REFLOAT_OUTGOING"; [ -z "$REFLOAT_INCOMING" ] || mv "$ROOT/$REFLOAT_INCOMING" "$ROOT/$REFLOAT_STABLE"',
  identity: 'stat -c %i "$ROOT/$REFLOAT_NAME" 2> /dev/null || true',
});

export const commandContext = (
  folder: string,
  options: Options,
  more: Partial<TestContextOptions<unknown>> = {},
): DriverContext =>
  createTestContext({ options: commandDriver.options.parse(options), folder, component: "search", ...more });

export const fillFolder = async (path: string): Promise<void> => {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "index"), "a line of the index\n".repeat(20_000));
  await writeFile(join(path, "revision"), "7\n");
};

export const readFolder = async (path: string): Promise<string> => {
  const names = (await readdir(path)).toSorted();
  return (await Promise.all(names.map(async (name) => `${name}: ${await readFile(join(path, name), "utf8")}`))).join(
    "\n",
  );
};

export const captureCommandInto = async (context: DriverContext, vault: string): Promise<CapturedComponent> => {
  await mkdir(vault, { recursive: true });
  const report = await commandDriver.capture(context, createDirectorySink(vault), null);
  const { sizeBytes } = report.facts;
  return {
    ...report,
    warnings: [...report.warnings],
    name: context.component,
    driver: commandDriver.type,
    snapshot: "0".repeat(64) as CapturedComponent["snapshot"],
    sizeBytes,
    newBytes: sizeBytes,
    finishedAt: report.window.endAt,
  };
};
