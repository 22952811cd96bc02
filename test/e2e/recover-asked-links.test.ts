/**
 * Links between what an application lists over HTTP, what a program prints, and files: asked of the source at capture, and of what was restored before
 * the cutover: of the application that was started on it, not of the live one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

let folder: TestFolder;
let refloat: RefloatInside;
let application: ChildProcess;
const at = (name: string): string => join(folder.path, name);

/** Lists the orders that it has, two on a page; says on which folder. */
const server = `
const { createServer } = require("node:http");
const { readdirSync } = require("node:fs");
createServer((request, response) => {
  const all = readdirSync(process.env.ORDERS).sort();
  const from = Number(new URL(request.url, "http://x").searchParams.get("from") ?? 0);
  const next = from + 2 < all.length ? "/orders?from=" + (from + 2) : null;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ orders: all.slice(from, from + 2).map((name) => ({ invoice: name })), next }));
}).listen(Number(process.env.PORT), "127.0.0.1");
`;

beforeAll(async () => {
  folder = await createTestFolder("refloat-asked");
  refloat = refloatInside(folder.path);
  const port = await findFreePort(2);
  for (const name of ["orders", "invoices", "app"]) await mkdir(at(name));
  for (const name of ["1.pdf", "2.pdf", "3.pdf"]) {
    await writeFile(at(`orders/${name}`), "an order");
    await writeFile(at(`invoices/${name}`), "its invoice");
  }
  await writeFile(at("invoices/0-old.pdf"), "of nobody");
  await writeFile(at("app/server.js"), server);
  await writeFile(at("password"), "correct horse", { mode: 0o600 });
  await writeFile(
    at("refloat.yaml"),
    `vault: { url: ${at("vault")}, password: "\${file:${at("password")}}" }
services:
  shop:
    components:
      orders: { type: files, path: ${at("orders")} }
      invoices: { type: files, path: ${at("invoices")} }
      app:
        type: process
        release: ${at("app")}
        start: ${process.execPath} server.js
        ports: ${port}-${port + 1}
        environment: { PORT: "\${self.port}", ORDERS: "\${orders.path}" }
        checks: [{ http: "\${self.url}/orders" }]
    invariants:
      listed-invoices-exist:
        every: { orders: { http: "\${app.url}/orders", values: "orders[].invoice", next: next } }
        in: { invoices: "*.pdf" }
      printed-invoices-exist:
        every: { orders: { command: [ls, "\${self.path}"] } }
        in: { invoices: { shell: 'cd "$REFLOAT_PATH" && ls' } }
`,
  );
  application = spawn(process.execPath, ["server.js"], {
    cwd: at("app"),
    env: { ...process.env, PORT: String(port), ORDERS: at("orders") },
    stdio: "ignore",
  });
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await answers())) await delay(50);
  await refloat.succeed(["vault", "init"]);
});

afterAll(async () => {
  application.kill("SIGKILL");
  // The one that serves after a recovery is no child of the test.
  await refloat.run(["undo", "1", "--yes", "--accept-loss"]);
  await refloat.close();
  await folder.remove();
});

const capture = async () => {
  const { lines, stdout } = await refloat.succeed(["capture", "shop", "--json"]);
  return { stdout, point: resultEnvelopeSchema("capture").parse(lines.at(-1)).data };
};

it("are asked of the source, with samples of what is broken and of what nothing names", async () => {
  const { point } = await capture();
  const held = {
    status: "passed",
    found: "3 links hold; 1 orphan, such as 0-old.pdf",
    links: { every: 3, in: 4, broken: { count: 0, samples: [] }, orphans: { count: 1, samples: ["0-old.pdf"] } },
  };
  expect(point.manifest.invariants).toMatchObject([
    { subject: "invariant listed-invoices-exist", ...held },
    { subject: "invariant printed-invoices-exist", ...held },
  ]);
  const live = await refloat.succeed(["validate", "--live", "shop"]);
  expect(live.stdout).toContain("invariant listed-invoices-exist: 3 links hold");
});

it("are asked of the application on what was restored, and not of the live one", async () => {
  // What is live breaks both links after the point; the recovery looks at the point.
  await writeFile(at("orders/4.pdf"), "an order without an invoice");
  const plan = await refloat.succeed(["plan", "shop"]);
  expect(plan.stdout.replaceAll(/\s+/g, " ")).toContain("invariant listed-invoices-exist");
  const done = await refloat.succeed(["recover", "shop", "--no-cutover", "--yes", "--json"]);
  expect(JSON.stringify(done.lines.at(-1))).toContain("3 links hold; 1 orphan, such as 0-old.pdf");
  await refloat.succeed(["cancel", "1", "--yes"]);
});

it("mark a point that holds broken links, and stop its recovery before the cutover", async () => {
  const { point } = await capture();
  const broken = { status: "failed", links: { broken: { count: 1, samples: ["4.pdf"] } } };
  expect(point.manifest.invariants).toMatchObject([broken, broken]);
  const failed = await refloat.run(["recover", "shop", "--yes"]);
  expect(failed.exit).toBe(4);
  expect(failed.stdout + failed.stderr).toContain("1 of 4 links are broken, such as 4.pdf");
  await rm(at("orders/4.pdf"));
});

it("say what cannot be asked, with the invariant, the side and what to do", async () => {
  application.kill("SIGKILL");
  await expect
    .poll(async () => (await capture()).point.manifest.invariants[0]?.status, { timeout: 60_000 })
    .toBe("skipped");
  const { point } = await capture();
  expect(point.manifest.invariants[0]?.found).toMatch(
    /^could not be asked: invariant listed-invoices-exist, values of orders \(http\): /,
  );
  expect(point.manifest.invariants[1]).toMatchObject({ status: "passed" });
  expect(point.manifest.consistency.proven).toBe(false);
});
