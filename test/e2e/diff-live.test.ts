/** A point against what is live: what a capture of now would see, and nothing is stored. */
import { chmod, mkdir, open, readFile, readdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventEnvelopeSchema, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { query } from "../../src/testing/query.ts";
import { type GranularService, startGranularService } from "./support/granular-service.ts";

let shop: GranularService;
let point: string;

const inUploads = (name: string): string => join(shop.uploads, name);

beforeAll(async () => {
  shop = await startGranularService();
  const config = join(shop.folder, "refloat.yaml");
  const text = await readFile(config, "utf8");
  await writeFile(
    config,
    text.replace(`path: ${shop.uploads}\n`, `path: ${shop.uploads}\n        exclude: ["*.tmp"]\n`),
  );
  await shop.reopen();
  point = (await shop.capture()).slice(0, 8);
});
afterAll(() => shop?.stop());

const diffLive = async (...args: string[]) => {
  const { lines } = await shop.refloat.succeed(["diff", point, "live", ...args, "--json"]);
  const files = lines.slice(0, -1).flatMap((line) => {
    const event = eventEnvelopeSchema.parse(line);
    return event.event === "diff" ? [event.data] : [];
  });
  return { files, sum: resultEnvelopeSchema("diff").parse(lines.at(-1)).data };
};

const shortly = async (...args: string[]): Promise<readonly string[]> =>
  (await diffLive(...args)).files.map(({ kind, path, details }) => `${kind} ${path} ${details.join(" ")}`.trim());

const packs = async (): Promise<readonly string[]> =>
  (await readdir(join(shop.folder, "vault"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("locks"))
    .map(({ name }) => name)
    .toSorted();

/** One byte of the last piece, with the size as it was. */
const scratch = async (path: string, at: number): Promise<void> => {
  const file = await open(path, "r+");
  await file.write("!", at);
  await file.close();
};

describe("diff with what is live", () => {
  it("finds nothing right after the capture, stores nothing, and leaves no session", async () => {
    const before = await packs();
    await writeFile(inUploads("excluded.tmp"), "never captured");
    const { files, sum } = await diffLive();
    expect(files).toEqual([]);
    expect(sum).toMatchObject({ after: "live", service: "shop", declaration: [] });
    expect(sum.components.map(({ component, state }) => `${component} ${state}`).toSorted()).toEqual([
      "app equal",
      "db equal",
      "uploads equal",
    ]);
    expect(await packs()).toEqual(before);
    const sessions = await query(
      shop.server.url("postgres"),
      "select 1 from pg_stat_activity where application_name like 'refloat/diff%'",
    );
    expect(sessions).toEqual([]);
  });

  it("names what was added, changed and removed, and tells touched from written", async () => {
    await mkdir(inUploads("new"));
    await writeFile(inUploads("new/added.txt"), "added\n");
    await rm(inUploads("invoices/2026/2.pdf"));
    // Both of one size: only the bytes tell.
    await writeFile(inUploads("invoices/2026/1.pdf"), "invoice ONE\n");
    const now = new Date();
    await utimes(inUploads("untouched/deep/3"), now, now);
    await chmod(inUploads("script.sh"), 0o700);
    await rm(inUploads("absolute"));
    await symlink("/etc/group", inUploads("absolute"));
    await utimes(inUploads("big.bin"), now, now);
    const touched = [
      "changed absolute target time",
      "metadata big.bin time",
      "changed invoices/2026/1.pdf content time",
      "removed invoices/2026/2.pdf",
      "added new",
      "added new/added.txt",
      "metadata same.sh mode",
      "metadata script.sh mode",
      "metadata untouched/deep/3 time",
    ];
    expect(await shortly("--only", "uploads")).toEqual(touched);
    await scratch(inUploads("big.bin"), 8_999_999);
    expect(await shortly("--only", "uploads")).toEqual(
      touched.map((line) => (line === "metadata big.bin time" ? "changed big.bin content time" : line)),
    );
    const { files } = await diffLive("--only", "uploads");
    // What no vault holds has no ids.
    expect(files.find(({ path }) => path === "new")?.after?.treeId).toBeUndefined();
    expect(files.find(({ path }) => path === "new/added.txt")?.after).toMatchObject({ type: "file", sizeBytes: 6 });
    expect(files.find(({ path }) => path === "new/added.txt")?.after?.contentId).toBeUndefined();
  });

  it("compares tables by rows and hash, the schema, and a release", async () => {
    await shop.sql("update orders set amount = 0 where id = 1");
    await shop.sql('insert into "Odd Schema"."a.b" values (\'more\')');
    await shop.sql("create table fresh (id int)");
    await writeFile(join(shop.folder, "releases/2.5.0/hotfix.js"), "");
    const { sum } = await diffLive();
    const [db, app] = ["db", "app"].map((name) => sum.components.find(({ component }) => component === name));
    expect(db).toMatchObject({ state: "changed", schemaChanged: true });
    expect(db?.tables.map(({ kind, name, before, after }) => [kind, name, before?.rows, after?.rows])).toEqual([
      ["changed", '"Odd Schema"."a.b"', 4, 5],
      ["added", "fresh", undefined, 0],
      ["changed", "orders", 5, 5],
    ]);
    expect(app?.files).toMatchObject({ added: 1, removed: 0, changed: 0 });
  });

  it("shows people a summary and what to type next; with --all the files come first", async () => {
    for (let n = 0; n < 120; n += 1) await writeFile(inUploads(`more-${n}`), "more");
    const folded = (await shop.refloat.succeed(["diff", point, "live", "--only", "uploads"])).stdout.split("\n");
    expect(folded[0]).toMatch(/^shop: from [0-9a-f]{8} \(.*\) to what is live \(/);
    expect(folded.find((line) => line.startsWith("uploads: "))).toContain("122 added, 1 removed, 3 changed");
    expect(folded.some((line) => /^\.\.\. \d+ more \(--all\)$/.test(line))).toBe(true);
    expect(folded.slice(-2)).toEqual([`next: refloat browse ${point}`, `  or: refloat plan shop --at ${point}`]);
    const all = (await shop.refloat.succeed(["diff", point, "live", "--only", "uploads", "--all"])).stdout.split("\n");
    expect(all.filter((line) => line.startsWith("+ uploads:more-"))).toHaveLength(120);
    expect(all.findIndex((line) => line.startsWith("shop: from"))).toBeGreaterThan(120);
  });

  it("a folder that is gone was removed, whatever was in it", async () => {
    await rename(shop.uploads, `${shop.uploads}.away`);
    const { files, sum } = await diffLive("--only", "uploads");
    await rename(`${shop.uploads}.away`, shop.uploads);
    expect(new Set(files.map(({ kind }) => kind))).toEqual(new Set(["removed"]));
    expect(files[0]).toMatchObject({ path: "", kind: "removed" });
    expect(sum.components[0]?.files.removed).toBe(files.length);
  });

  it("a side that does not answer is named, with what can be compared all the same", async () => {
    expect((await shop.refloat.run(["diff", "live", point])).stderr).toContain("refloat diff POINT live");
    expect((await shop.refloat.run(["diff", point, "live", "--only", "none"])).exit).toBe(2);
    await query(shop.server.url("postgres"), "drop database shop");
    const refused = await shop.refloat.run(["diff", point, "live"]);
    expect(refused.exit).toBe(4);
    expect(refused.stderr).toMatch(/^error source\.\S+: db cannot be compared with what is live: /m);
    expect(refused.stderr).toContain("state: nothing was changed");
    expect(refused.stderr).toContain(`next: refloat diff ${point} live --only app`);
    expect((await diffLive("--only", "uploads")).sum.components).toHaveLength(1);
  });
});
