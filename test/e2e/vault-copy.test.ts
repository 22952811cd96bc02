/** The vault is lost with everything else: a copy of it under another password is enough. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";
import { launcher } from "./support/refloat-program.ts";

let notes: NotesService;
let elsewhere: string;

beforeAll(async () => {
  notes = await startNotesService();
  elsewhere = await mkdtemp(join(tmpdir(), "refloat-elsewhere-"));
  await writeFile(join(elsewhere, "key"), "another password\n", { mode: 0o600 });
});

afterAll(async () => {
  await notes.stop();
  await rm(elsewhere, { recursive: true, force: true });
});

/** A machine that has the program and the copy. */
const onAnother = (...args: readonly string[]) =>
  execa(
    process.execPath,
    [launcher, "--vault", join(elsewhere, "copy"), "--password-file", join(elsewhere, "key"), ...args],
    {
      reject: false,
      cwd: elsewhere,
      stdin: "ignore",
      extendEnv: false,
      env: { PATH: process.env["PATH"] ?? "", HOME: elsewhere, REFLOAT_STATE: join(elsewhere, "state") },
    },
  );

it("recovers a service from the copy alone", async () => {
  await notes.insert(30);
  await notes.refloat.succeed(["vault", "init"]);
  const captured = await notes.refloat.succeed(["capture", "notes", "--json"]);
  const { id } = (captured.lines.at(-1)?.["data"] ?? {}) as { readonly id: string };
  const before = await notes.digest();

  const to = ["vault", "copy", "--to", join(elsewhere, "copy"), "--to-password-file", join(elsewhere, "key")];
  const missing = await notes.refloat.run(to);
  expect(missing).toMatchObject({ exit: 3, stdout: "" });
  expect(missing.stderr).toContain("--init");
  const copied = await notes.refloat.succeed([...to, "--init", "--json"]);
  expect(copied.lines.at(-1)).toMatchObject({
    schema: "refloat/vault-copy/v1",
    data: { dryRun: false, points: [{ point: id, service: "notes", state: "copied" }] },
  });
  expect((await notes.refloat.succeed(to)).stdout).toContain("0 points copied, 0 B added; 1 there already");
  expect((await notes.refloat.succeed(["log"])).stdout).toMatch(/copy .*done/);

  for (const gone of ["refloat.yaml", "password", "state", "docs", "vault"])
    await rm(join(notes.folder, gone), { recursive: true });
  await notes.query("drop database notes with (force)", "postgres");

  expect((await onAnother("points", "notes")).stdout).toContain(id.slice(0, 8));
  expect((await onAnother("plan", "notes", "--at", id.slice(0, 8))).stdout).toMatch(/^Plan [0-9a-f]{8} {2}notes/);
  const recovered = await onAnother("recover", "notes", "--yes");
  expect({ exit: recovered.exitCode, said: recovered.exitCode === 0 ? "" : recovered.stderr }).toEqual({
    exit: 0,
    said: "",
  });
  expect(await notes.digest()).toBe(before);
  const verified = await onAnother("verify", "--read-data", "--json");
  expect(JSON.parse(verified.stdout.split("\n").at(-1) ?? "")).toMatchObject({
    data: { findings: [], roots: { proven: 1, none: 0, foreign: 0 }, gone: [] },
  });
  expect((await onAnother("log", "--verify")).stdout).toContain("the log is whole");
}, 300_000);
