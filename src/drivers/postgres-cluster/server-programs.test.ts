/** Programs that say of what version they are, and write down that they were asked. */
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import { findServerPrograms } from "./server-programs.ts";

let folder: TestFolder;
let programs: string;
let asked: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-server-programs");
  programs = join(folder.path, "bin");
  asked = join(folder.path, "asked");
  await mkdir(programs);
  await writeFile(asked, "");
});

afterEach(async () => {
  await folder.remove();
});

/** As a package puts it in place. */
const install = async (version: string): Promise<void> => {
  for (const name of ["postgres", "pg_ctl", "pg_controldata"]) {
    const path = join(programs, name);
    await writeFile(`${path}.new`, `#!/bin/sh\necho ${version} >> ${asked}\necho "postgres (PostgreSQL) ${version}"\n`);
    await chmod(`${path}.new`, 0o755);
    await rename(`${path}.new`, path);
  }
};

const find = (major: number): Promise<string> => {
  const url = "postgres://nobody@127.0.0.1/postgres";
  const options: ClusterOptions = { data: "/nowhere", url, ports: "5440-5449", programs };
  return findServerPrograms(createTestContext({ options, folder: folder.path }), major);
};

test("programs are asked for their version once, and again when an upgrade has replaced them", async () => {
  await install("15.9");
  expect(await find(15)).toBe(programs);
  expect(await find(15)).toBe(programs);
  await expect(find(16)).rejects.toMatchObject({ code: "program.version" });
  expect(await readFile(asked, "utf8")).toBe("15.9\n");
  await install("16.1");
  expect(await find(16)).toBe(programs);
  await expect(find(15)).rejects.toMatchObject({
    code: "program.version",
    message: `the programs in ${programs} are of PostgreSQL 16, and the cluster is of 15`,
  });
  expect(await readFile(asked, "utf8")).toBe("15.9\n16.1\n");
});
