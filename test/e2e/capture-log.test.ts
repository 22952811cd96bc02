/** The audit log around a capture: what is said when its end cannot be written, and when nothing may be brought to the vault. */
import { mkdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestShell, emptyJournal } from "../../src/cli/test-shell.ts";
import { runCommandLine } from "../../src/cli/run-command-line.ts";
import { forgettingAuditLog } from "../../src/core/audit/forgetting-audit-log.ts";
import { createWorkbench } from "../../src/create-workbench.ts";
import { RefloatError } from "../../src/model/refloat-error.ts";
import { capture } from "../../src/operations/capture.ts";
import { initVault } from "../../src/operations/vault-init.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";

let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-capture-log");
});

afterEach(async () => {
  await folder.remove();
});

test("an end that cannot be written after the point was made is told as such", async () => {
  const { path } = folder;
  await mkdir(`${path}/docs`);
  await writeFile(`${path}/docs/note`, "note");
  await writeFile(`${path}/password`, "correct horse", { mode: 0o600 });
  await writeFile(
    `${path}/refloat.yaml`,
    `vault: { url: ${path}/vault, password: "\${file:${path}/password}" }\nservices:\n  notes: { components: { docs: { type: files, path: ${path}/docs } } }\n`,
  );
  const { bench, close } = createWorkbench({
    environment: {},
    configFile: `${path}/refloat.yaml`,
    vault: null,
    stateDirectory: `${path}/state`,
    log: null,
    verbose: false,
    cache: false,
    limits: {},
    version: "0.0.0",
    approver: async () => null,
    attendant: { isThere: false, perform: async () => null },
  });
  await initVault(bench, null);
  const audit: typeof bench.audit = {
    ...bench.audit,
    append: async (event) => {
      if (event.outcome !== "done") return bench.audit.append(event);
      throw new RefloatError("journal.failed", "the state folder is full");
    },
  };
  const error = await capture(
    { ...bench, audit },
    { service: "notes", onEvent: () => undefined, signal: new AbortController().signal },
  ).catch((thrown: unknown) => thrown);
  const [point, ...others] = await (await bench.vault()).points.list("notes");
  expect(others).toEqual([]);
  expect(error).toMatchObject({
    code: "journal.failed",
    state: `point ${point?.id.slice(0, 8) ?? ""} was made and is whole; what failed came after it, and the audit log may not tell of its end`,
    nextCommand: "refloat points notes",
  });
  await close();
});

test("entries that wait are told, but not where the vault is read as of a time", async () => {
  const waiting = { entries: 2, reason: "read-only", directory: "/state/audit", newest: null };
  for (const [asOf, told] of [
    [[], true],
    [["--vault-as-of", "2026-11-20"], false],
  ] as const) {
    const shell = createTestShell({
      currentDirectory: folder.path,
      bench: { ...emptyJournal, audit: { ...forgettingAuditLog, backlog: async () => waiting } },
    });
    await writeFile(`${folder.path}/refloat.yaml`, "");
    await runCommandLine(["runs", "--config", `${folder.path}/refloat.yaml`, ...asOf], shell);
    expect(shell.written.stderr().includes("not in the vault yet")).toBe(told);
  }
});
