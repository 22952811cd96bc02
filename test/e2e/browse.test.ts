/** What a recovery point holds, as people and scripts see it: with names that would fool a terminal. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventEnvelopeSchema, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type GranularService, longName, startGranularService } from "./support/granular-service.ts";

let shop: GranularService;
let point: string;

beforeAll(async () => {
  shop = await startGranularService();
  point = (await shop.capture()).slice(0, 8);
});
afterAll(() => shop?.stop());

const browse = async (place: string, ...options: string[]) =>
  (await shop.refloat.succeed(["browse", `${point}${place}`, ...options])).stdout;

const browseJson = async (place: string, ...options: string[]) => {
  const { lines } = await shop.refloat.succeed(["browse", `${point}${place}`, "--json", ...options]);
  return {
    data: resultEnvelopeSchema("browse").parse(lines.at(-1)).data,
    events: lines.slice(0, -1).map((line) => eventEnvelopeSchema.parse(line)),
  };
};

describe("browse", () => {
  it("shows the components of a point in the order of recovery", async () => {
    const text = await browse("");
    expect(text).toMatch(/^point [0-9a-f]{8} of shop, .*; components in the order of recovery$/m);
    expect(text).toMatch(/^1 +db +postgres .*3 tables/m);
    expect(text).toMatch(/^2 +app +process .*release 2\.5\.0/m);
    expect(text).toMatch(/^next: refloat browse [0-9a-f]{8}:db$/m);
    const { data } = await browseJson("");
    expect(data.kind === "point" && data.components.map(({ name, wave }) => [name, wave])).toEqual([
      ["db", 1],
      ["uploads", 1],
      ["app", 2],
    ]);
  });

  it("shows a database by its tables, and one of them under either name", async () => {
    const text = await browse(":db");
    expect(text).toMatch(/^orders +5 +\d+ B +[0-9a-f]{8}$/m);
    expect(text).toMatch(/^"Odd Schema"\."a\.b" +4 /m);
    const { data } = await browseJson(":db");
    expect(data.kind === "tables" && data.tables.map(({ name, rows }) => [name, rows])).toEqual([
      ['"Odd Schema"."a.b"', 4],
      ["large objects", 1],
      ["nothing", 1],
      ["orders", 5],
    ]);
    for (const name of ["orders", "public.orders"]) expect(await browse(`:db:${name}`)).toContain("rows      5");
    expect(await browse(":db", "--files")).toMatch(/ toc\.dat$/m);
  });

  it("shows folders and files, with names that no terminal obeys", async () => {
    const text = await browse(":uploads");
    expect(text).toMatch(/^drwxr-xr-x .* invoices\/$/m);
    expect(text).toMatch(/^-rwxr-x--- .* script\.sh$/m);
    expect(text).toMatch(/^lrwxrwxrwx .* absolute -> \/etc\/passwd$/m);
    expect(text).toContain(String.raw` two\nlines\x1b[31m`);
    expect(text).toContain(String.raw` caf\xe9.txt`);
    expect(text).toContain(` ${longName}`);
    // eslint-disable-next-line no-control-regex
    expect(text.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001F]/);
    const file = await browse(":uploads:invoices/2026/1.pdf");
    expect(file).toContain("12 B (12 bytes)");
    expect(file).toContain("2023-11-14");
    // What is printed can be typed again, and so can the path of the machine.
    expect(await browse(String.raw`:uploads:caf\xe9.txt`)).toContain(String.raw`caf\xe9.txt in uploads`);
    expect(await browse(String.raw`:uploads:two\nlines\x1b[31m`)).toContain("4 B");
    expect(await browse(`:uploads:${shop.uploads}/invoices`)).toMatch(/ 2026\/$/m);
  });

  it("gives programs the names as they are, and the bytes of what is no text", async () => {
    const { data } = await browseJson(":uploads");
    if (data.kind !== "folder") throw new Error("no folder");
    const names = data.entries?.map(({ path }) => path);
    expect(names).toContain("two\nlines\u001B[31m");
    expect(names).toContain("caf\ufffd.txt");
    expect(data.entries?.find(({ path }) => path === "caf\ufffd.txt")?.pathBase64).toBe("Y2Fm6S50eHQ=");
    expect(data.entries?.find(({ path }) => path === "absolute")).toMatchObject({
      type: "symlink",
      linkTarget: "/etc/passwd",
    });
    const below = await browseJson(":uploads", "--recursive");
    const paths = below.events.map((event) => event.event === "browse" && "path" in event.data && event.data.path);
    expect(paths).toContain("invoices/2026/1.pdf");
    expect(below.data).toMatchObject({ kind: "folder", entries: null, count: paths.length });
    const one = await browseJson(":uploads:invoices/2026/1.pdf");
    // A file of one piece is named by the SHA-256 of its content.
    expect(one.data).toMatchObject({
      kind: "file",
      at: {
        contentId: "d272a1970be692904076730e17edf3ec644e95c0a7a52a3bfeedc7dc0c671dbc",
        sizeBytes: 12,
        modifiedAt: "2023-11-14T22:13:20.125Z",
      },
    });
  });

  it("a release is shown by its name and its files", async () => {
    expect(await browse(":app")).toMatch(/release 2\.5\.0\n.* server\.js$/m);
  });

  it("what is not there is refused with what is", async () => {
    const ended = async (place: string) => {
      const { exit, stderr } = await shop.refloat.run(["browse", place]);
      return { exit, stderr };
    };
    expect(await ended("shop")).toMatchObject({ exit: 2, stderr: expect.stringContaining("error usage: ") });
    expect(await ended("ffffffff")).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("error point.unknown: "),
    });
    expect(await ended(`${point}:upload`)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('hint: did you mean "uploads"?'),
    });
    expect(await ended(`${point}:uploads:none`)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining(`next: refloat browse ${point}:uploads`),
    });
    expect(await ended(`${point}:uploads:../etc`)).toMatchObject({
      exit: 4,
      stderr: expect.stringContaining("error path.hostile: "),
    });
  });
});

describe("at Tab", () => {
  it("points, components, tables and files are offered", async () => {
    const offered = async (word: string) =>
      (await shop.refloat.succeed(["__complete", "--", "browse", word])).stdout
        .split("\n")
        .map((line) => line.split("\t")[0]);
    expect(await offered("")).toEqual([point]);
    expect(await offered(`${point}:`)).toEqual([`${point}:db`, `${point}:uploads`, `${point}:app`]);
    expect(await offered(`${point}:db:o`)).toEqual([`${point}:db:orders`]);
    expect(await offered(`${point}:uploads:invoices/2`)).toEqual([`${point}:uploads:invoices/2026/`]);
  });
});
