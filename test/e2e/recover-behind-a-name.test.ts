/** A service that users come to by a name in DNS: recovered to another address by the name's primary server, and undone. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type BindPrimary, lookUp, startBindPrimary } from "../../src/testing/bind-server.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let primary: BindPrimary;
let refloat: RefloatProgram;

const name = "docs.example.test";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-dns-e2e-"));
  await chmod(folder, 0o755);
  primary = await startBindPrimary(["docs 1 IN A 127.0.0.1"]);
  await mkdir(join(folder, "site"));
  await writeFile(join(folder, "site", "index.html"), "as it was\n");
  await writeFile(join(folder, "tsig"), primary.key, { mode: 0o600 });
  await declareIn(
    folder,
    `services:
  docs:
    components:
      site: { type: files, path: ${join(folder, "site")} }
    cutover:
      - dns: ${name}
        server: ${primary.address}
        key: \${file:${join(folder, "tsig")}}
        ttl: 1s
        held: 127.0.0.99
        to: 127.0.0.2:8080
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "docs"]);
}, 300_000);

afterAll(async () => {
  await primary?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("is looked at before anything is done, without the key in any word", { timeout: 300_000 }, async () => {
  const { stdout } = await refloat.succeed(["validate", "--live", "docs"]);
  expect(stdout).toContain("takes our updates");
  expect(stdout).toContain("A 127.0.0.1, remembered for 1 s");
  const secret = /secret "([^"]+)"/.exec(primary.key)?.[1];
  expect(secret).toBeDefined();
  expect(stdout).not.toContain(secret);
  expect(await lookUp(primary, name)).toEqual(["127.0.0.1"]);
});

it("comes back at the new address, and goes back by an undo", { timeout: 300_000 }, async () => {
  await writeFile(join(folder, "site", "index.html"), "damaged\n");
  await refloat.succeed(["recover", "docs", "--yes"]);
  expect(await lookUp(primary, name)).toEqual(["127.0.0.2"]);
  await refloat.succeed(["undo", "1", "--yes", "--accept-loss"]);
  expect(await lookUp(primary, name)).toEqual(["127.0.0.1"]);
});
