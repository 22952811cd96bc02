/** Components on schedules of their own: a point of one alone is put together with the newest parts of the others, planned, recovered and kept. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

let folder: TestFolder;
let refloat: RefloatInside;

const write = (file: string, content: string) => writeFile(`${folder.path}/${file}`, content);
const read = (file: string) => readFile(`${folder.path}/${file}`, "utf8");

const capture = async (...more: readonly string[]): Promise<string> =>
  resultEnvelopeSchema("capture").parse((await refloat.succeed(["capture", "shop", "--json", ...more])).lines.at(-1))
    .data.id;

const planned = async (...more: readonly string[]) =>
  resultEnvelopeSchema("plan").parse((await refloat.succeed(["plan", "shop", "--json", ...more])).lines.at(-1)).data;

beforeAll(async () => {
  folder = await createTestFolder("refloat-composed");
  refloat = refloatInside(folder.path);
  await write("password", "correct horse battery staple");
  await write(
    "refloat.yaml",
    `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services:
  shop:
    keep: { last: 1 }
    components:
      orders: { type: files, path: ${folder.path}/orders }
      invoices: { type: files, path: ${folder.path}/invoices }
    invariants: { invoices-exist: { every: { orders: "*.txt" }, in: { invoices: "*.txt" } } }
`,
  );
  for (const name of ["orders", "invoices"]) {
    await mkdir(`${folder.path}/${name}`);
    await write(`${name}/1.txt`, `${name} of the first`);
  }
  await refloat.succeed(["vault", "init"]);
});

afterAll(async () => {
  await refloat.close();
  await folder.remove();
});

it("captures one alone, says so, and refuses names that are not declared", async () => {
  await capture("--only", "orders");
  const first = await planned();
  expect(Object.keys(first.intent.point?.components ?? {})).toEqual(["orders"]);
  expect(first.forecast.composed).toMatchObject({
    absent: ["invoices"],
    better: "nothing was ever captured of invoices: refloat capture shop --only invoices",
  });
  expect((await refloat.run(["capture", "shop", "--only", "orderz"])).stderr).toContain("orderz");
  expect((await refloat.run(["capture", "shop", "--only", "orders", "--continuous"])).exit).toBe(2);
});

it("shows the set that it would recover before anything is restored, and recovers just that", async () => {
  const invoices = await capture("--only", "invoices");
  await write("orders/1.txt", "orders of the second");
  await write("invoices/1.txt", "never captured");
  const nearer = await capture("--only", "orders");
  const orders = await capture("--only", "orders");

  const { intent, forecast } = await planned();
  expect(intent.point?.id).toBe(orders);
  expect(forecast.consistency).toMatchObject({ mode: "composed" });
  expect(forecast.composed?.members).toMatchObject([
    { component: "orders", point: orders, skewMs: 0 },
    { component: "invoices", point: invoices, skewMs: expect.any(Number) as number },
  ]);
  expect(forecast.composed?.better).toMatch(/^invoices is \S+ older than the newest of 2 points/);
  const screen = (await refloat.succeed(["plan", "shop"])).stdout.replaceAll(/\s+/g, " ");
  expect(screen).toContain(`MEMBERS orders of ${orders.slice(0, 8)}`);
  expect(screen).toContain(`invoices of ${invoices.slice(0, 8)}`);
  expect(screen).toContain("better: invoices is");
  const { closest } = forecast.composed ?? {};
  expect(closest?.skewMs).toBeLessThan(forecast.composed?.members.at(-1)?.skewMs ?? 0);
  expect(screen).toContain(`closest together: ${closest?.point.slice(0, 8)}, `);
  expect([nearer, invoices]).toContain(closest?.point);
  expect(screen).toContain(
    "nothing proves that orders and invoices belong to one moment: they were captured at different times",
  );
  expect((await refloat.succeed(["points", "shop"])).stdout.replaceAll(/\s+/g, " ")).toMatch(
    /only orders, with invoices \S+ older/,
  );

  const part = await refloat.succeed([
    "extract",
    "shop:invoices:1.txt",
    "--at",
    "last",
    "--to",
    `${folder.path}/then.txt`,
    "--json",
  ]);
  expect(resultEnvelopeSchema("extract").parse(part.lines.at(-1)).data).toMatchObject({ point: invoices });
  expect(await read("then.txt")).toBe("invoices of the first");

  await write("orders/1.txt", "damaged");
  await refloat.succeed(["recover", "shop", "--yes"]);
  expect(await read("orders/1.txt")).toBe("orders of the second");
  expect(await read("invoices/1.txt")).toBe("invoices of the first");
  await refloat.succeed(["commit", "1", "--yes"]);
});

it("keeps the points that the parts of the newest one come from, and lets go of others", async () => {
  const plan = (await refloat.succeed(["vault", "prune", "--dry-run"])).stdout;
  expect(plan.replaceAll(/\s+/g, " ")).toMatch(/invoices of point [0-9a-f]{8}/);
  await refloat.succeed(["vault", "prune", "--yes"]);
  const { points } = resultEnvelopeSchema("points").parse(
    (await refloat.succeed(["points", "shop", "--json"])).lines.at(-1),
  ).data;
  expect(points.map(({ manifest }) => manifest.only)).toEqual([["orders"], ["invoices"]]);
  expect((await planned()).forecast.composed?.absent).toEqual([]);
});

it("finds by its invariants what two moments do not have in common", async () => {
  await write("orders/2.txt", "names an invoice that no point has");
  const before = await planned();
  await capture("--only", "orders");
  const failed = await refloat.run(["recover", "shop", "--yes"]);
  expect(failed.exit).toBe(4);
  expect(failed.stderr + failed.stdout).toContain("1 of 2 links are broken, such as 2.txt");
  expect(before.intent.point).not.toBeNull();
});
