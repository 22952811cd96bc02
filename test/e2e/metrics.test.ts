/** Metrics of a real service and vault: printed, in a file, and scraped while captures go on. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { readMetrics } from "../../src/testing/read-metrics.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

describe("metrics", { timeout: 300_000 }, () => {
  let folder: TestFolder;
  let refloat: RefloatProgram;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-metrics");
    await mkdir(`${folder.path}/docs`);
    await writeFile(`${folder.path}/docs/1.pdf`, "1");
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    await writeFile(
      `${folder.path}/refloat.yaml`,
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services:
  notes:
    objectives: { rto: 15m, rpo: 1h }
    schedule: every 30m
    components:
      docs: { type: files, path: ${folder.path}/docs }
`,
    );
    refloat = refloatIn(folder.path);
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
    await refloat.succeed(["verify", "--read-data"]);
  }, 300_000);
  afterAll(() => folder.remove());

  const valuesOf = (text: string) =>
    Object.fromEntries(readMetrics(text).map(({ name, value }) => [name.replace("refloat_", ""), value]));

  it("go into a file that all may read, replaced at once", async () => {
    const path = `${folder.path}/refloat.prom`;
    await writeFile(path, "old");
    await refloat.succeed(["metrics", "--file", path]);
    const text = await readFile(path, "utf8");
    expect((await stat(path)).mode & 0o777).toBe(0o644);
    const values = valuesOf(text);
    expect(values).toMatchObject({ vault_up: 1, service_points: 1, service_rpo_objective_seconds: 3600, runs: 0 });
    expect(values["service_last_verified_point_timestamp_seconds"]).toBe(
      values["service_last_point_timestamp_seconds"],
    );
    const { lines } = await refloat.succeed(["metrics", "--json"]);
    const { families } = resultEnvelopeSchema("metrics").parse(lines.at(-1)).data;
    expect(families.map(({ name }) => name)).toContain("refloat_service_recoverable_timestamp_seconds");
    const refused = await refloat.run(["metrics", "--file", `${folder.path}/no/such.prom`]);
    expect([refused.exit, refused.stderr]).toEqual([4, expect.stringContaining("output.failed")]);
  });

  it("are served as they are at each scrape, until told to end", async () => {
    const server = refloat.spawn(["metrics", "--listen", "127.0.0.1:0"]);
    let said = "";
    server.stderr?.on("data", (part: Buffer) => {
      said += part.toString();
    });
    await vi.waitFor(() => expect(said).toMatch(/serving http:\/\/\S+/), { timeout: 60_000, interval: 50 });
    const [url = ""] = /http:\/\/\S+/.exec(said) ?? [];
    expect(valuesOf(await (await fetch(url)).text())["service_points"]).toBe(1);
    await refloat.succeed(["capture", "notes"]);
    expect(valuesOf(await (await fetch(url)).text())["service_points"]).toBe(2);
    server.kill("SIGTERM");
    expect((await server).exitCode).toBe(0);
  });
});
