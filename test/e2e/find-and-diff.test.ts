/** Searching many points and comparing two of them, on a real vault: every version once, nothing read twice. */
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventEnvelopeSchema, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type GranularService, startGranularService } from "./support/granular-service.ts";

let shop: GranularService;
/** Oldest first. */
const points: string[] = [];

beforeAll(async () => {
  shop = await startGranularService();
  const { uploads } = shop;
  const old = new Date("2020-05-05T05:05:05Z");
  await utimes(join(uploads, "invoices/2026/2.pdf"), old, old);
  points.push(await shop.capture());
  await writeFile(join(uploads, "invoices/2026/1.pdf"), "invoice one, corrected\n");
  await rename(join(uploads, "big.bin"), join(uploads, "invoices/big.bin"));
  await rm(join(uploads, "absolute"));
  await symlink("/etc/group", join(uploads, "absolute"));
  await chmod(join(uploads, "script.sh"), 0o700);
  await mkdir(join(uploads, "new"));
  await writeFile(join(uploads, "new/added.txt"), "added\n");
  await shop.sql("insert into orders values (6, 'six', 6)");
  await shop.sql("create table fresh (id int)");
  points.push(await shop.capture());
  await writeFile(join(uploads, "invoices/2026/1.pdf"), "invoice one\n");
  const config = join(shop.folder, "refloat.yaml");
  await writeFile(config, (await readFile(config, "utf8")).replace("ports: 8-9", "ports: 8-10"));
  await shop.reopen();
  points.push(await shop.capture());
});
afterAll(() => shop?.stop());

const find = async (...args: string[]) => {
  const { lines } = await shop.refloat.succeed(["find", ...args, "--json"]);
  const found = lines.slice(0, -1).flatMap((line) => {
    const event = eventEnvelopeSchema.parse(line);
    return event.event === "find" ? [event.data] : [];
  });
  return { found, sum: resultEnvelopeSchema("find").parse(lines.at(-1)).data };
};

/** `path: size in points` for each version, with points by their number, oldest 0. */
const shortly = async (...args: string[]) =>
  (await find(...args)).found.map(
    ({ path, table, versions }) =>
      `${path ?? table}: ${versions
        .map(
          ({ points: ids, entry, table: facts }) =>
            `${entry?.sizeBytes ?? facts?.rows} in ${ids.map((id) => points.indexOf(id)).join("")}`,
        )
        .join(", ")}`,
  );

describe("find", () => {
  it("groups every version of a file by content, newest point first", async () => {
    expect(await shortly("1.pdf")).toEqual(["invoices/2026/1.pdf: 12 in 20, 23 in 1"]);
    expect(await shortly("*.pdf")).toEqual([
      "invoices/2026/1.pdf: 12 in 20, 23 in 1",
      "invoices/2026/2.pdf: 12 in 210",
    ]);
    expect(await shortly("invoices/**")).toEqual([
      "invoices/2026/1.pdf: 12 in 20, 23 in 1",
      "invoices/2026/2.pdf: 12 in 210",
      "invoices/big.bin: 9000000 in 21",
    ]);
    expect(await shortly("absolute")).toEqual(["absolute: 0 in 21, 0 in 0"]);
    expect(await shortly(String.raw`caf\xe9.txt`)).toEqual(["caf\ufffd.txt: 6 in 210"]);
    expect(await shortly("none")).toEqual([]);
  });

  it("finds tables by name, size and hash", async () => {
    expect(await shortly("public.orders")).toEqual(["orders: 6 in 21, 5 in 0"]);
    const { found } = await find("orders");
    const sha256 = found[0]?.versions[1]?.table?.sha256 ?? "";
    expect(await shortly("--content", sha256)).toEqual(["orders: 5 in 0"]);
  });

  it("finds by size, by time of the file, by time and component of the point", async () => {
    expect(await shortly("--size", "1M..", "--component", "uploads")).toEqual([
      "big.bin: 9000000 in 0",
      "invoices/big.bin: 9000000 in 21",
    ]);
    expect(await shortly("--modified", "2020-05-05..2020-05-05")).toEqual(["invoices/2026/2.pdf: 12 in 210"]);
    expect(await shortly("1.pdf", "--taken", "..2020-01-01")).toEqual([]);
    expect(await shortly("1.pdf", "--component", "app")).toEqual([]);
    expect(await shortly("1.pdf", "--service", "none")).toEqual([]);
    expect(await shortly("added.txt", "--size", "6", "--service", "shop")).toEqual(["new/added.txt: 6 in 21"]);
  });

  it("finds by content, and reads large files only when told to", async () => {
    const sha256 = createHash("sha256").update("invoice one\n").digest("hex");
    expect(await shortly("--content", sha256.slice(0, 12))).toEqual(["invoices/2026/1.pdf: 12 in 20"]);
    const big = createHash("sha256")
      .update(await readFile(join(shop.uploads, "invoices/big.bin")))
      .digest("hex");
    const unread = await find("--content", big);
    expect(unread.found).toEqual([]);
    expect(unread.sum.unhashed).toBe(2);
    expect(await shortly("--content", big, "--read-data")).toEqual([
      "big.bin: 9000000 in 0",
      "invoices/big.bin: 9000000 in 21",
    ]);
    const { found } = await find("big.bin");
    const ids = new Set(found.flatMap(({ versions }) => versions.map(({ entry }) => entry?.contentId)));
    expect(ids.size).toBe(1);
    expect(await shortly("--content", [...ids][0] ?? "")).toHaveLength(2);
  });

  it("reads a folder once that is equal in several points", async () => {
    const { sum } = await find("*", "--component", "uploads");
    // Root, invoices and 2026 in three or two versions; untouched, deep and new in one.
    expect(sum).toMatchObject({ points: 3, foldersRead: 3 + 3 + 3 + 1 + 1 + 1, unreadable: [] });
    expect(sum.foldersSkipped).toBe(2 + 2 + 1);
  });

  it("shows people the versions, and what to type next", async () => {
    const { stdout } = await shop.refloat.succeed(["find", "1.pdf"]);
    const [zero, one, two] = points.map((id) => id.slice(0, 8));
    expect(stdout).toMatch(/^uploads:invoices\/2026\/1\.pdf {2}shop$/m);
    expect(stdout).toMatch(new RegExp(`^ {2}12 B {2}\\d{4}-.* in ${two} ${zero}$`, "m"));
    expect(stdout).toMatch(new RegExp(`^ {2}23 B .* in ${one}$`, "m"));
    expect(stdout).toContain(`next: refloat extract ${two}:uploads:invoices/2026/1.pdf --to restored-1.pdf`);
  });

  it("refuses what it cannot read", async () => {
    for (const args of [[], ["--size", "big"], ["--modified", "whenever"], ["--content", "xyz"]]) {
      expect((await shop.refloat.run(["find", ...args])).exit).toBe(2);
    }
  });
});

describe("diff", () => {
  const diff = async (before: number, after: number, ...args: string[]) => {
    const { lines } = await shop.refloat.succeed([
      "diff",
      points[before] ?? "",
      points[after] ?? "",
      ...args,
      "--json",
    ]);
    const files = lines.slice(0, -1).flatMap((line) => {
      const event = eventEnvelopeSchema.parse(line);
      return event.event === "diff" ? [event.data] : [];
    });
    return { files, sum: resultEnvelopeSchema("diff").parse(lines.at(-1)).data };
  };

  it("names what was added, removed, changed, and what changed by its metadata only", async () => {
    const { files, sum } = await diff(0, 1);
    expect(files.map(({ kind, path, details }) => `${kind} ${path} ${details.join(" ")}`.trim())).toEqual([
      "changed absolute target time",
      "removed big.bin",
      "changed invoices/2026/1.pdf content time",
      "added invoices/big.bin",
      "added new",
      "added new/added.txt",
      "metadata same.sh mode",
      "metadata script.sh mode",
    ]);
    const uploads = sum.components.find(({ component }) => component === "uploads");
    expect(uploads?.files).toMatchObject({ added: 3, removed: 1, changed: 2, metadata: 2 });
    // untouched/ is equal and was not looked into.
    expect(uploads?.foldersEqual).toBe(1);
    expect(sum.components.find(({ component }) => component === "app")?.state).toBe("equal");
  });

  it("compares tables by facts, and says when the schema is another", async () => {
    const { sum } = await diff(0, 1, "--only", "db");
    expect(sum.components).toHaveLength(1);
    expect(sum.components[0]).toMatchObject({ component: "db", state: "changed", schemaChanged: true });
    expect(
      sum.components[0]?.tables.map(({ kind, name, before, after }) => [kind, name, before?.rows, after?.rows]),
    ).toEqual([
      ["added", "fresh", undefined, 0],
      ["changed", "orders", 5, 6],
    ]);
  });

  it("compares the declaration", async () => {
    const { sum } = await diff(1, 2);
    expect(sum.declaration).toEqual([{ key: "components.app.options.ports", before: "8-9", after: "8-10" }]);
    expect((await diff(2, 2)).files).toEqual([]);
  });

  it("shows people the summary first, folded where it is long", async () => {
    for (let n = 0; n < 150; n += 1) await writeFile(join(shop.uploads, `more-${n}`), "more");
    const last = await shop.capture();
    const text = async (...args: string[]) =>
      (await shop.refloat.succeed(["diff", (points[2] ?? "").slice(0, 8), last.slice(0, 8), ...args])).stdout.split(
        "\n",
      );
    const folded = await text();
    expect(folded[0]).toMatch(/^shop: from [0-9a-f]{8} \(.*\) to [0-9a-f]{8} /);
    expect(folded).toContain("uploads: 150 added, +600 B -0 B");
    expect(folded).toContain("... 50 more (--all)");
    expect(folded.filter((line) => line.startsWith("+ "))).toHaveLength(100);
    const all = await text("--all");
    expect(all.filter((line) => line.startsWith("+ "))).toHaveLength(150);
    expect(new Set(all).size).toBe(all.length);
  });

  it("refuses points that are none, or of a component", async () => {
    expect((await shop.refloat.run(["diff", points[0] ?? "", "ffffffff"])).exit).toBe(2);
    const placed = await shop.refloat.run(["diff", `${points[0]}:db`, points[1] ?? ""]);
    expect(placed.stderr).toContain("error usage: diff compares points; one component of them: --only db");
  });
});
