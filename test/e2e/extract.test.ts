/** One thing out of a point: to a place, to standard output, as an archive; what it must never do. */
import { lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { to as copyTo } from "pg-copy-streams";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { withClient } from "../../src/testing/query.ts";
import { type GranularService, latinName, longName, startGranularService } from "./support/granular-service.ts";
import { refloatInside } from "./support/refloat-inside.ts";

let shop: GranularService;
let point: string;
let out: string;

beforeAll(async () => {
  shop = await startGranularService();
  point = (await shop.capture()).slice(0, 8);
});
afterAll(() => shop?.stop());
beforeEach(async () => {
  out = await mkdtemp(join(shop.folder, "out-"));
});
afterEach(() => rm(out, { recursive: true, force: true }));

const extract = (place: string, ...options: string[]) => shop.refloat.run(["extract", `${point}:${place}`, ...options]);

const inside = (folder: string, name: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name as string)]);

/** Names, kinds, modes, times to the nanosecond, links and contents of a tree, in order. */
const described = async (folder: string): Promise<readonly string[]> => {
  const found: string[] = [];
  const walk = async (path: Buffer, shown: string): Promise<void> => {
    for (const name of (await readdir(path, { encoding: "buffer" })).toSorted((a, b) => Buffer.compare(a, b))) {
      const full = Buffer.concat([path, Buffer.from("/"), name]);
      const { mode, mtimeNs, nlink, size } = await lstat(full, { bigint: true });
      const label = `${shown}/${name.toString("hex")}`;
      const folderHere = (mode & 0o170000n) === 0o040000n;
      const link = (mode & 0o170000n) === 0o120000n;
      const content = folderHere ? "" : link ? await readlink(full) : (await readFile(full)).toString("base64");
      // Node sets times as seconds in a double, which is some 100 ns off: seldom across the border of so coarse a step.
      found.push(
        `${label} ${mode.toString(8)} ${String(mtimeNs / 10_000_000n)} ${folderHere ? "" : `${nlink} ${size} ${content}`}`,
      );
      if (folderHere) await walk(full, label);
    }
  };
  await walk(Buffer.from(folder), "");
  return found;
};

const serverCsv = async (sql: string): Promise<string> =>
  withClient(shop.server.url("shop"), async (client) => {
    let text = "";
    for await (const chunk of client.query(copyTo(`copy (${sql}) to stdout (format csv, header)`)))
      text += String(chunk);
    return text;
  });

describe("a table", () => {
  it.each([
    ["orders", "orders"],
    ["public.orders", "orders"],
    ['"Odd Schema"."a.b"', '"Odd Schema"."a.b"'],
  ])("%s as CSV is what the server itself would write", async (name, sql) => {
    const { exit, bytes, stderr } = await extract(`db:${name}`, "--stdout", "--csv");
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(bytes.toString("utf8")).toBe(await serverCsv(`select * from ${sql}`));
  });

  it("without columns has its rows, and large objects by themselves are refused", async () => {
    expect((await extract("db:nothing", "--stdout", "--csv")).bytes.toString()).toBe("\n\n");
    const refused = await extract("db:large objects", "--stdout");
    expect({ exit: refused.exit, text: refused.stderr }).toMatchObject({
      exit: 3,
      text: expect.stringContaining("error source.unsupported: large objects is no table"),
    });
  });

  it("as COPY text goes back into a table as it was", async () => {
    const target = join(out, "orders.copy");
    const { exit, lines } = await extract("db:orders", "--to", target, "--json");
    expect(exit).toBe(0);
    expect(resultEnvelopeSchema("extract").parse(lines.at(-1)).data).toMatchObject({ what: "table", to: target });
    await shop.sql("create table again (like orders)");
    const psql = join(shop.server.binaries, "psql");
    await execa(psql, [
      "--no-psqlrc",
      "-d",
      shop.server.url("shop"),
      "-c",
      String.raw`\copy again from '${target}'`.replace("${target}", target),
    ]);
    expect(await shop.sql("table again except table orders union all (table orders except table again)")).toEqual([]);
    expect(await shop.sql("select count(*)::int as n from again")).toEqual([{ n: 5 }]);
    await shop.sql("drop table again");
  });

  it("as a whole database is an archive that pg_restore lists", async () => {
    expect((await extract("db", "--to", join(out, "db"))).exit).toBe(0);
    const { stdout } = await execa(join(shop.server.binaries, "pg_restore"), ["--list", join(out, "db")]);
    expect(stdout).toContain("TABLE DATA public orders");
  });
});

describe("files", () => {
  it("are no table: --csv says so", async () => {
    const { exit, stderr } = await extract("uploads", "--to", join(out, "no-table"), "--csv");
    expect(exit).toBe(2);
    expect(stderr).toContain("uploads is no table here");
  });

  it("come back with modes, times, links and names of any bytes, to a place that was not there", async () => {
    const target = join(out, "uploads");
    const { exit, stdout } = await extract("uploads", "--to", "uploads-relative");
    expect(exit).toBe(0);
    expect(stdout).toMatch(
      /^.*uploads-relative: folder of uploads as of point [0-9a-f]{8} \([^)]*\), 28 files, .*, every byte verified$/m,
    );
    await execa("mv", [join(shop.folder, "uploads-relative"), target]);
    expect(await described(target)).toEqual(await described(shop.uploads));
    expect(await readFile(inside(target, latinName), "utf8")).toBe("latin\n");
    expect(await readFile(join(target, longName), "utf8")).toBe("long\n");
    // A link that leads out of the place is a link and nothing more.
    expect(await readlink(join(target, "absolute"))).toBe("/etc/passwd");
    expect(await readdir(out)).toEqual(["uploads"]);
  });

  it("one by one, by any spelling of their names", async () => {
    const bytes = async (path: string) => (await extract(`uploads:${path}`, "--stdout")).bytes.toString();
    expect(await bytes("invoices/2026/1.pdf")).toBe("invoice one\n");
    expect(await bytes(String.raw`caf\xe9.txt`)).toBe("latin\n");
    expect(await bytes("two\nlines\u001B[31m")).toBe("odd\n");
    expect(await bytes(longName)).toBe("long\n");
    expect((await bytes("big.bin")).length).toBe(9_000_000);
    await extract("uploads:absolute", "--to", join(out, "link"));
    expect((await lstat(join(out, "link"))).isSymbolicLink()).toBe(true);
    await extract("uploads:script.sh", "--to", join(out, "script.sh"));
    expect((await stat(join(out, "script.sh"))).mode & 0o777).toBe(0o750);
  });

  it("as an archive are the same once GNU tar has unpacked it, compressed or not", async () => {
    for (const [name, flags] of [
      ["uploads.tar", []],
      ["uploads.tar.zst", ["--zstd"]],
    ] as const) {
      const archive = join(out, name);
      expect((await extract("uploads", "--archive", archive)).exit).toBe(0);
      const to = join(out, `${name}.unpacked`);
      await mkdir(to);
      await execa("tar", [...flags, "--warning=no-unknown-keyword", "-xpf", archive, "-C", to]);
      expect(await readdir(to)).toEqual(["uploads"]);
      expect(await described(join(to, "uploads"))).toEqual(await described(shop.uploads));
    }
    const piped = await extract("uploads:invoices", "--archive", "-");
    const { stdout } = await execa("tar", ["-t"], { input: piped.bytes });
    expect(stdout.split("\n")).toEqual(["invoices/", "invoices/2026/", "invoices/2026/1.pdf", "invoices/2026/2.pdf"]);
  });
});

describe("extract refuses", () => {
  const refused = async (place: string, ...options: string[]) => {
    const { exit, stderr } = await extract(place, ...options);
    return `${exit} ${stderr}`;
  };

  it("to overwrite anything: a file, a folder, a link that leads nowhere", async () => {
    await writeFile(join(out, "file"), "mine");
    await mkdir(join(out, "folder"));
    await symlink(join(out, "nowhere"), join(out, "dangling"));
    for (const name of ["file", "folder", "dangling"]) {
      for (const place of ["uploads", "uploads:script.sh", "db:orders"]) {
        expect(await refused(place, "--to", join(out, name))).toMatch(/^3 error target\.exists: .* is there already/);
      }
      await symlink(join(out, name), join(out, `${name}.tar`));
      expect(await refused("uploads", "--archive", join(out, `${name}.tar`))).toMatch(/^3 error target\.exists/);
    }
    expect(await readFile(join(out, "file"), "utf8")).toBe("mine");
    expect(await readdir(join(out, "folder"))).toEqual([]);
    expect(await readdir(out)).not.toContain("nowhere");
  });

  it("what it cannot do, with what can be done", async () => {
    expect(await refused("uploads")).toMatch(/^2 error usage: extract needs one of --to PLACE, --stdout and --archive/);
    expect(await refused("uploads", "--stdout", "--to", "x")).toMatch(/^2 error usage: extract needs one of/);
    expect(await refused("uploads", "--archive", "x.zip")).toMatch(/^2 error usage: --archive takes a name/);
    expect(await refused("uploads:script.sh", "--stdout", "--json")).toMatch(/^2 error usage: standard output cannot/);
    expect(await refused("uploads", "--stdout")).toMatch(/^2 error usage: uploads is no file/);
    expect(await refused("uploads:absolute", "--stdout")).toMatch(/a link to \/etc\/passwd/);
    expect(await refused("db:orders", "--archive", join(out, "x.tar"))).toMatch(/^2 error usage: orders is a table/);
    expect(await refused("uploads:none", "--to", join(out, "x"))).toMatch(/^2 error point\.unknown/);
    expect(await refused("uploads", "--to", join(out, "no/such/place"))).toMatch(/^4 error target\.failed/);
    const whole = await shop.refloat.run(["extract", point, "--to", join(out, "x")]);
    expect(whole.stderr).toContain(`refloat recover shop --at ${point}`);
    expect(await readdir(out)).toEqual([]);
  });

  it("to leave half of it where the vault is damaged", async () => {
    const folder = join(shop.folder, "vault/data");
    const packs = (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name));
    let hurt = 0;
    /** Without what an open vault has in its memory. */
    const fresh = async (args: readonly string[]) => {
      const refloat = refloatInside(shop.folder);
      try {
        return await refloat.run(args);
      } finally {
        await refloat.close();
      }
    };
    for (const pack of packs) {
      const whole = await readFile(pack);
      const broken = Buffer.from(whole);
      for (let at = 0; at < Math.min(broken.length, 2000); at += 64) broken[at] = (broken[at] ?? 0) ^ 1;
      await execa("chmod", ["u+w", pack]);
      await writeFile(pack, broken);
      try {
        // Only a pack of contents is of interest: where the folders cannot be read, nothing is begun.
        if ((await fresh(["browse", `${point}:uploads`, "--recursive"])).exit !== 0) continue;
        const ended = await fresh(["extract", `${point}:uploads`, "--to", join(out, "x")]);
        if (ended.exit === 0) continue;
        expect(ended.stderr).toMatch(/^error vault\.damaged/);
        hurt += 1;
        const archived = await fresh(["extract", `${point}:uploads`, "--archive", join(out, "x.tar.zst")]);
        expect(archived.stderr).toMatch(/^error vault\.damaged/);
        expect(await readdir(out)).toEqual([]);
      } finally {
        await writeFile(pack, whole);
        await rm(join(out, "x"), { recursive: true, force: true });
      }
    }
    expect(hurt).toBeGreaterThan(0);
  });
});
