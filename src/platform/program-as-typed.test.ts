import { mkdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { programAsTyped } from "./program-as-typed.ts";

let folder: TestFolder;
let own: string;
let usual: string;

beforeEach(async () => {
  folder = await createTestFolder("refloat-program");
  own = `${folder.path}/node_modules/.bin`;
  usual = `${folder.path}/bin`;
  for (const path of [own, usual]) await mkdir(path, { recursive: true });
  await writeFile(`${own}/refloat`, "", { mode: 0o755 });
});

afterEach(async () => folder.remove());

const byNpm = (line: string) =>
  programAsTyped({ npm_lifecycle_script: line, PATH: `${own}:${folder.path}/node-gyp-bin:${usual}` });

describe("how this program is started", () => {
  it("is by npx where npm has started it and no shell would find it", () => {
    for (const line of ["'refloat'", "refloat", '"refloat" points', "node x; refloat status"])
      expect(byNpm(line)).toBe("npx refloat");
  });

  it("is by its name where a shell finds it, whoever has started it", async () => {
    await writeFile(`${usual}/refloat`, "", { mode: 0o644 });
    expect(byNpm("'refloat'")).toBe("npx refloat");
    await writeFile(`${usual}/refloat-2`, "", { mode: 0o755 });
    expect(byNpm("'refloat'")).toBe("npx refloat");
    await mkdir(`${folder.path}/other`);
    await writeFile(`${folder.path}/other/refloat`, "", { mode: 0o755 });
    expect(programAsTyped({ npm_lifecycle_script: "refloat", PATH: `${own}:${folder.path}/other` })).toBe("refloat");
  });

  it("is by its name where npm runs something else, which starts it, or nothing at all", () => {
    for (const line of ["vitest run test/refloat-program.test.ts", "refloat-tool", "node /srv/refloat/dist/x.js", ""])
      expect(byNpm(line)).toBe("refloat");
    expect(programAsTyped({ PATH: own })).toBe("refloat");
  });
});
