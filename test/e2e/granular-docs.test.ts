/** docs/granular.md, run as it stands there. */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { refloatInside } from "./support/refloat-inside.ts";
import { launcher } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let server: PostgresServer;
const points: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-granular-docs-"));
  server = await startPostgresServer();
  await query(server.url("postgres"), "create database shop");
  await query(
    server.url("shop"),
    "create table orders as select n as id, 'order ' || n as text from generate_series(1, 3) n",
  );
  await mkdir(join(folder, "uploads/invoices"), { recursive: true });
  await writeFile(join(folder, "uploads/invoices/17.pdf"), "invoice 17\n");
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db: { type: postgres, url: "${server.url("shop")}" }
      uploads: { type: files, path: ${folder}/uploads }
`,
  );
  const refloat = refloatInside(folder);
  await refloat.succeed(["vault", "init"]);
  for (const text of ["first", "second"]) {
    await writeFile(join(folder, "uploads/notes.txt"), text);
    const { lines } = await refloat.succeed(["capture", "shop", "--json"]);
    points.push((lines.at(-1) as { data: { id: string } }).data.id.slice(0, 8));
  }
  await refloat.close();
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("does what it says, block by block", async () => {
  const text = await readFile(new URL("../../docs/granular.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  const commands = blocks.filter((block) => !block.startsWith("export POINT="));
  expect(commands.length).toBe(blocks.length - 1);
  expect(commands.length).toBeGreaterThanOrEqual(7);
  const program = join(folder, "bin/refloat");
  await mkdir(join(folder, "bin"));
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${launcher}" "$@"\n`, { mode: 0o755 });
  const { stdout } = await execa("sh", ["-c", `set -eu\n${commands.join("\n")}`], {
    cwd: folder,
    env: {
      PATH: `${folder}/bin:${process.env["PATH"] ?? ""}`,
      REFLOAT_STATE: join(folder, "state"),
      BEFORE: points[0] ?? "",
      POINT: points[1] ?? "",
    },
  });
  expect(stdout).toContain(`uploads:invoices/17.pdf  shop`);
  expect(stdout).toMatch(/^\* uploads:notes\.txt {2}5 B > 6 B {2}content, time$/m);
  expect(stdout.split("\n")).toContain("invoice 17");
  expect(await readFile(join(folder, "17.pdf"), "utf8")).toBe("invoice 17\n");
  expect(await readFile(join(folder, "orders.csv"), "utf8")).toBe("id,text\n1,order 1\n2,order 2\n3,order 3\n");
  expect(await readdir(join(folder, "invoices.then"))).toEqual(["17.pdf"]);
  expect(await readdir(join(folder, "db.dump"))).toContain("toc.dat");
  expect(await readdir(folder)).toEqual(expect.arrayContaining(["uploads.tar.zst", "orders.copy"]));
  expect(await readdir(folder)).not.toContain("shop.then");
  // Some fifteen starts of the program, one after the other.
}, 600_000);
