/** What validate --live asks beyond the drivers' own words, over real folders, a dead port and a real vault. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseDeclaration } from "../core/declaration/parse-declaration.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { driverRegistry } from "../driver-registry.ts";
import { examineFence } from "../platform/examine-fence.ts";
import { silentLog } from "../platform/log.ts";
import { readSecret } from "../platform/secret.ts";
import { createDirectories } from "../platform/state-directories.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { createPointStore } from "../vault/points/point-store.ts";
import { createRepository } from "../vault/repository/create-repository.ts";
import { validateLive } from "./validate-live.ts";

let folder: TestFolder;
let bench: Workbench;
let close: () => Promise<void>;

beforeEach(async () => {
  folder = await createTestFolder("refloat-validate");
  const vault = `${folder.path}/vault`;
  const repository = await createRepository(vault, "password", { clock: systemClock });
  close = repository.close;
  for (const name of ["lists", "docs"]) {
    await mkdir(`${folder.path}/${name}`);
    await writeFile(`${folder.path}/${name}/1.txt`, "1");
  }
  const text = `
vault: { url: ${vault}, password: "\${env:UNUSED}" }
services:
  notes:
    probe: http://127.0.0.1:1/health
    components:
      lists:
        type: files
        path: ${folder.path}/lists
        checks:
          - command: test -e ${folder.path}/lists/1.txt
          - command: echo it is gone; test -e ${folder.path}/lists/2.txt
      docs: { type: files, path: ${folder.path}/docs }
    fence:
      - { name: old primary, command: "off $TOKEN", environment: { TOKEN: "\${file:${folder.path}/none}" } }
      - { name: old replica, command: no-such-program off, proof: exit 1 }
    invariants:
      docs-exist:
        every: { lists: "*.txt" }
        in: { docs: "*.txt" }
`;
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
  if (declaration === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const opened = { repository, points: createPointStore(repository) };
  bench = {
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    examineFence,
    readSecret,
    host: { hostname: "h", toolVersion: "0", timeZone: "UTC" },
    directories: createDirectories(`${folder.path}/state`),
    declaration: async () => declaration,
    vault: async () => opened,
  } as unknown as Workbench;
});

afterEach(async () => {
  await close();
  await folder.remove();
});

const faults = async (): Promise<readonly (readonly string[])[]> => {
  const { subjects, ok } = await validateLive(bench, null, new AbortController().signal);
  const found = subjects.flatMap(({ subject, report }) =>
    report.findings.filter((finding) => !finding.ok).map((finding) => [subject, finding.found]),
  );
  expect(ok).toBe(found.length === 0);
  return found;
};

it("asks the live side what a recovery asks of the new one: checks, invariants and the probe", async () => {
  expect(await faults()).toEqual([
    ["lists", expect.stringContaining("it is gone")],
    ["fence old primary", expect.stringContaining("cannot be read")],
    ["fence old replica", "there is no program no-such-program"],
    ["probe", expect.stringContaining("refused")],
  ]);
  await rm(`${folder.path}/docs/1.txt`);
  expect(await faults()).toContainEqual(["invariant docs-exist", expect.stringContaining("1 of 1 links are broken")]);
});

it("finds a vault that can be read and not written, before a capture does", async () => {
  await rm(`${folder.path}/vault/locks`, { recursive: true });
  await writeFile(`${folder.path}/vault/locks`, "");
  expect(await faults()).toContainEqual(["vault", expect.stringContaining("locks")]);
});
