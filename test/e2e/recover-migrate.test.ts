/**
 * A release that is older data's future: restored with them, it works only once its own migration has been at them. Its environment names its port, as
 * that of most applications does, though nothing listens while it migrates.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

const application = `
const { existsSync } = require("node:fs");
require("node:http").createServer((request, response) => {
  response.statusCode = existsSync(process.env.DATA + "/second") ? 200 : 500;
  response.end();
}).listen(Number(process.env.PORT), "127.0.0.1");
`;

const runningSchema = z.object({ pid: z.int(), port: z.int() });

let folder: TestFolder;
let refloat: RefloatInside;
let port: number;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  folder = await createTestFolder("refloat-migrate");
  port = await findFreePort(2);
  for (const name of ["data", "app"]) await mkdir(at(name));
  await writeFile(at("data/first"), "as captured");
  await writeFile(at("app/server.js"), application);
  await declareIn(
    folder.path,
    `services:
  shop:
    components:
      data: { type: files, path: ${at("data")} }
      app:
        type: process
        release: ${at("app")}
        start: exec ${process.execPath} server.js
        migrate: echo "$PORT" > "$DATA/second"
        ports: ${port}-${port + 1}
        environment: { PORT: "\${self.port}", DATA: "\${data.path}" }
        checks: [{ http: "\${self.url}/" }]
`,
  );
  refloat = refloatInside(folder.path);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"]);
});

afterAll(async () => {
  await refloat.close();
  await folder.remove();
});

it("is migrated on the restored data, where nothing serves any more, and serves", { timeout: 300_000 }, async () => {
  await rm(at("data/first"));
  const { stdout } = await refloat.succeed(["recover", "shop", "--yes"]);
  expect(stdout).toContain("SHOP IS BACK");
  expect((await readdir(at("data"))).toSorted()).toEqual(["first", "second"]);
  const tried = Number(await readFile(at("data/second"), "utf8"));
  expect([port, port + 1]).toContain(tried);
  expect(existsSync(at("data.old1/second"))).toBe(false);
  const shown = await refloat.succeed(["runs", "1", "--json"]);
  const { record } = resultEnvelopeSchema("run").parse(shown.lines.at(-1)).data;
  const started = runningSchema.parse(record.steps.find(({ id }) => id === "start:app")?.output?.["process"]);
  try {
    expect((await fetch(`http://127.0.0.1:${started.port}/`)).status).toBe(200);
  } finally {
    process.kill(started.pid, "SIGKILL");
  }
});
