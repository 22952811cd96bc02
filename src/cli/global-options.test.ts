import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findConfigFile, logTarget, readGlobalOptions, stateDirectory } from "./global-options.ts";
import { createTestShell } from "./test-shell.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-options-"));
  await mkdir(join(folder, "with"));
  await writeFile(join(folder, "with/refloat.yaml"), "");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const options = (raw: Record<string, unknown>, environment: Record<string, string> = {}, currentDirectory = folder) => {
  const shell = createTestShell({ environment, currentDirectory });
  return { shell, global: readGlobalOptions(raw, shell) };
};

describe("flag before environment before default", () => {
  it.each([
    [{ config: "a.yaml" }, { REFLOAT_CONFIG: "b.yaml" }, "a.yaml"],
    [{}, { REFLOAT_CONFIG: "b.yaml" }, "b.yaml"],
    [{}, { REFLOAT_CONFIG: "" }, "refloat.yaml"],
    [{}, {}, "refloat.yaml"],
  ])("the file, by %j and %j, is %s", async (raw, environment, found) => {
    const { shell, global } = options(raw, environment);
    expect(await findConfigFile(global, shell)).toBe(join(folder, found));
  });

  it("the file in the folder where one stands", async () => {
    const { shell, global } = options({}, {}, join(folder, "with"));
    expect(await findConfigFile(global, shell)).toBe(join(folder, "with/refloat.yaml"));
  });

  it("the state folder", () => {
    const both = options({ state: "s" }, { REFLOAT_STATE: "/t" });
    expect(stateDirectory(both.global, both.shell)).toBe(join(folder, "s"));
    const environment = options({}, { REFLOAT_STATE: "/t" });
    expect(stateDirectory(environment.global, environment.shell)).toBe("/t");
    const neither = options({});
    expect(stateDirectory(neither.global, neither.shell)).toMatch(/^\/.*refloat$/);
  });

  it("colours", () => {
    expect(options({}).global.color).toBe(true);
    expect(options({ color: false }).global.color).toBe(false);
    expect(options({}, { NO_COLOR: "1" }).global.color).toBe(false);
    expect(options({}, { NO_COLOR: "" }).global.color).toBe(true);
  });

  it.each([
    [{}, null],
    [{ verbose: true }, "-"],
    [{ log: "-" }, "-"],
    [{ log: "x.log", verbose: true }, "x.log"],
  ])("the log of %j goes to %s", (raw, target) => {
    const { shell, global } = options(raw);
    expect(logTarget(global, shell)).toBe(target === "x.log" ? join(folder, target) : target);
  });
});
