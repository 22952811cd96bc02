/** What the files of an old side tell, by a program that says what it is told to. */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import { clusterSwitching } from "./switching.ts";

let folder: TestFolder;
let data: string;
let programs: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-old-side");
  [data, programs] = [join(folder.path, "data"), join(folder.path, "bin")];
  await mkdir(data);
  await mkdir(programs);
  await writeFile(join(data, "PG_VERSION"), "15\n");
  for (const name of ["postgres", "pg_ctl"]) await install(name, "echo postgres 15.9");
});
afterEach(async () => {
  await folder.remove();
});

const install = async (name: string, line: string): Promise<void> => {
  await writeFile(join(programs, name), `#!/bin/sh\n${line}\n`);
  await chmod(join(programs, name), 0o755);
};

const ofReturn = () => {
  const options: ClusterOptions = { data, url: "postgres://nobody@127.0.0.1/postgres", ports: "5440-5449", programs };
  return clusterSwitching.ofReturn?.(createTestContext({ options, folder: folder.path }), data);
};

test("one whose control file is damaged cannot serve, and nor can one that is no cluster any more", async () => {
  await install("pg_controldata", "echo 'WARNING: Calculated CRC checksum does not match value stored in file.'");
  expect(await ofReturn()).toEqual({ refusal: expect.stringContaining("is damaged: Calculated CRC"), notes: [] });
  await rm(join(data, "PG_VERSION"));
  expect(await ofReturn()).toEqual({ refusal: expect.stringContaining("is no data folder"), notes: [] });
});

test("that no program can ask its files does not tell that it cannot serve", async () => {
  await expect(ofReturn()).rejects.toMatchObject({ code: "program.missing" });
});
