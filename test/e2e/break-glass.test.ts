/** Nothing is left but the vault and its key: another machine recovers from these alone. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";
import { launcher } from "./support/refloat-program.ts";

let notes: NotesService;
let elsewhere: string;

beforeAll(async () => {
  // The key of its power switch is gone with the machine that had it.
  notes = await startNotesService(`    fence:
      - name: old machine
        command: switch-off "$TOKEN"
        environment: { TOKEN: "\${file:/nowhere/token}" }
        expect: its plug is pulled
`);
  elsewhere = await mkdtemp(join(tmpdir(), "refloat-elsewhere-"));
});

afterAll(async () => {
  await notes.stop();
  await rm(elsewhere, { recursive: true, force: true });
});

/** A machine that has the program and nothing else. */
const onAnother = (...args: readonly string[]) =>
  execa(process.execPath, [launcher, ...args], {
    reject: false,
    cwd: elsewhere,
    stdin: "ignore",
    extendEnv: false,
    env: { PATH: process.env["PATH"] ?? "", HOME: elsewhere, REFLOAT_STATE: join(elsewhere, "state") },
  });

it("recovers a service whose file, state, secrets and sources are gone", async () => {
  await notes.insert(40);
  await notes.refloat.succeed(["vault", "init"]);
  const captured = await notes.refloat.succeed(["capture", "notes", "--json"]);
  const { id } = (captured.lines.at(-1)?.["data"] ?? {}) as { readonly id: string };
  const { lines } = await notes.refloat.succeed(["vault", "keys", "add", "--recovery", "--json"]);
  const { recoveryKey } = (lines.at(-1)?.["data"] ?? {}) as { readonly recoveryKey: string };
  const before = await notes.digest();

  for (const gone of ["refloat.yaml", "password", "state", "docs"])
    await rm(join(notes.folder, gone), { recursive: true });
  await notes.query("drop database notes with (force)", "postgres");

  // As somebody types it from paper.
  await writeFile(join(elsewhere, "key"), `${recoveryKey.toLowerCase().replaceAll("-", " ")}\n`, { mode: 0o600 });
  const glass = ["--vault", join(notes.folder, "vault"), "--password-file", "key"];
  expect((await onAnother(...glass, "points")).stdout).toContain("recovery order: db");
  expect((await onAnother(...glass, "browse", `${id.slice(0, 8)}:docs`)).stdout).toContain("note-1.txt");
  const planned = await onAnother(...glass, "plan", "notes");
  expect(planned.stdout).toMatch(/^Plan [0-9a-f]{8} {2}notes/);
  const said = planned.stdout.replaceAll(/\s+/g, " ");
  expect(said).toContain("old machine cannot be fenced off as declared (the secret ${file:/nowhere/token} cannot be");
  const waiting = await onAnother(...glass, "recover", "notes", "--yes");
  expect(waiting.exitCode).toBe(6);
  const done = ["done", "1", "old-machine", "--evidence", "pulled the plug of db-1 myself"];
  expect((await onAnother(...glass, ...done)).exitCode).toBe(0);
  const recovered = await onAnother(...glass, "resume", "1", "--yes");
  expect({ exit: recovered.exitCode, said: recovered.exitCode === 0 ? "" : recovered.stderr }).toEqual({
    exit: 0,
    said: "",
  });
  expect(await notes.digest()).toBe(before);

  // What it says to type next does the same from here.
  const words = glass.join(" ");
  expect(recovered.stdout).toMatch(new RegExp(`next: refloat ${words} \\S+`));
  const refused = await onAnother(...glass, "extract", `${id.slice(0, 8)}:docs`, "--stdout");
  const next = /^next: refloat (?<typed>.*)$/m.exec(refused.stderr)?.groups?.["typed"] ?? "";
  expect(next).toMatch(new RegExp(`^${words} `));
  expect((await onAnother(...next.split(" "))).exitCode).toBe(0);
  const inJson = await onAnother(...glass, "browse", "no:place:at:all:?", "--json");
  expect(JSON.parse(inJson.stdout)).toMatchObject({ error: { next: `refloat ${words} points` } });

  const log = await onAnother(...glass, "log", "--verify");
  expect(log.stdout).toContain("the log is whole");
  expect(log.exitCode).toBe(0);
  expect(log.stdout).toMatch(/resume +notes +succeeded/);
  expect((await onAnother(...glass, "log", "--json")).stdout).toContain("pulled the plug of db-1 myself");
  const state = await readFile(join(elsewhere, "state/audit/chain.json"), "utf8");
  expect(state).not.toContain(recoveryKey);
}, 300_000);

it("says how to give the password where nobody can be asked", async () => {
  await mkdir(join(elsewhere, "empty"), { recursive: true });
  const { exitCode, stderr } = await onAnother("--vault", join(notes.folder, "vault"), "points", "notes");
  expect(exitCode).toBe(3);
  expect(stderr).toContain("name a file that holds it with --password-file, or set REFLOAT_PASSWORD");
});
