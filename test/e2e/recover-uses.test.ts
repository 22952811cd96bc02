/** What a component uses while it runs is asked after a recovery, and that it does not answer is told and takes nothing back. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let refloat: RefloatProgram;

const at = (...names: readonly string[]): string => join(folder, ...names);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-uses-"));
  await mkdir(at("pages"));
  await mkdir(at("fonts"));
  await writeFile(at("pages", "index.html"), "as it was\n");
  await writeFile(at("fonts", "sans.woff"), "glyphs\n");
  await declareIn(
    folder,
    `services:
  site:
    components:
      pages: { type: files, path: ${at("pages")}, uses: [fonts] }
      fonts:
        type: files
        path: ${at("fonts")}
        uses: [pages]
        checks:
          - command: test -s ${at("fonts", "sans.woff")}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "site"]);
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

it("is asked when what uses it is recovered alone", { timeout: 300_000 }, async () => {
  await writeFile(at("pages", "index.html"), "damaged\n");
  const { stdout, stderr } = await refloat.succeed(["recover", "site", "--only", "pages", "--yes"]);
  expect(stderr).toMatch(/done {2}ask fonts\s+1 check passed/);
  expect(stdout).not.toMatch(/^Ill/m);
  expect(await readFile(at("pages", "index.html"), "utf8")).toBe("as it was\n");
});

it(
  "is told when it does not answer, while the recovery stands; and so it is by the undo",
  { timeout: 300_000 },
  async () => {
    await refloat.succeed(["commit", "1", "--yes"]);
    await writeFile(at("fonts", "sans.woff"), "");
    await writeFile(at("pages", "index.html"), "damaged again\n");
    const { stdout } = await refloat.succeed(["recover", "site", "--only", "pages", "--yes"]);
    expect(stdout).toMatch(/SITE IS BACK/);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("Ill fonts, which pages uses: ");
    expect(await readFile(at("pages", "index.html"), "utf8")).toBe("as it was\n");
    const report: unknown = JSON.parse((await refloat.succeed(["runs", "2", "--json"])).stdout);
    expect(report).toMatchObject({ data: { summary: { unanswered: [{ component: "fonts", usedBy: ["pages"] }] } } });
    const undone = await refloat.succeed(["undo", "2", "--yes", "--accept-loss"]);
    expect(undone.stdout.replaceAll(/\s+/g, " ")).toContain("Ill fonts, which pages uses: ");
    expect(await readFile(at("pages", "index.html"), "utf8")).toBe("damaged again\n");
  },
);
