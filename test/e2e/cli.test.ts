/**
 * The command line as people and scripts meet it: the real program, on a real folder and a real vault. What it says, what it ends
 * with, and that what it tells to type next can be typed.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorEnvelopeSchema, eventEnvelopeSchema, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import type { ResultKind } from "../../src/contract/result-schemas.ts";
import { type RefloatProgram, launcher, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let refloat: RefloatProgram;

const docs = (name = ""): string => join(folder, "docs", name);

const digest = async (): Promise<string> => {
  const hash = createHash("sha256");
  for (const name of (await readdir(docs())).toSorted()) hash.update(name).update(await readFile(docs(name)));
  return hash.digest("hex");
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-cli-"));
  await mkdir(docs());
  await writeFile(docs("a.txt"), "first\n");
  await writeFile(docs("big.bin"), Buffer.alloc(8_000_000, "incompressible? no, but big enough to be seen"));
  await declareIn(
    folder,
    `services:
  notes:
    components:
      docs:
        type: files
        path: ${docs()}
`,
  );
  refloat = refloatIn(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A command as it is printed after `next:`, typed into a shell in which `refloat` is the program. */
const typed = (line: string) =>
  execa("sh", ["-c", `refloat() { "${process.execPath}" "${launcher}" "$@"; }; ${line}`], {
    reject: false,
    cwd: folder,
    env: { REFLOAT_STATE: join(folder, "state") },
    stdin: "ignore",
  });

/** The same at a terminal of its own, with keys pressed as soon as their question stands there. @param ahead typed before that */
const atTerminal = async (line: string, question: string, keys: string, ahead = "") => {
  const program = execa(
    "script",
    ["-qefc", `stty cols 100 rows 40; "${process.execPath}" "${launcher}" ${line}`, "/dev/null"],
    {
      reject: false,
      cwd: folder,
      env: { REFLOAT_STATE: join(folder, "state"), TERM: "xterm" },
      stdin: "pipe",
    },
  );
  program.stdin.write(ahead);
  let screen = "";
  program.stdout.on("data", (part: Buffer) => {
    const before = screen.includes(question);
    screen += part.toString();
    if (!before && screen.includes(question)) program.stdin.write(keys);
  });
  const { exitCode } = await program;
  return { exit: exitCode, screen };
};

const parsed = <Kind extends ResultKind>(kind: Kind, lines: readonly Record<string, unknown>[]) =>
  resultEnvelopeSchema(kind).parse(lines.at(-1));

describe("from nothing to a recovered folder", () => {
  it("what is missing is said with the command that makes it", async () => {
    const { exit, stderr } = await refloat.run(["capture", "notes"]);
    expect(exit).toBe(3);
    expect(stderr).toMatch(/^error vault\.not-found: /);
    expect(stderr).toContain("next: refloat vault init\n".trim());
  });

  it("every answer with --json is what the contract says", async () => {
    const json = async (...args: string[]) => (await refloat.succeed([...args, "--json"])).lines;
    expect(parsed("vault-init", await json("vault", "init")).data.location).toContain("vault");
    const captured = await json("capture", "notes");
    const point = parsed("capture", captured).data;
    expect(captured.slice(0, -1).map((line) => eventEnvelopeSchema.parse(line).event)).toContain("capture");
    expect(parsed("points", await json("points", "notes")).data.points.map(({ id }) => id)).toEqual([point.id]);
    expect(parsed("plan", await json("plan", "notes")).data.intent.point?.id).toBe(point.id);
    expect(parsed("status", await json("status")).data.vault.problem).toBeNull();
    expect(parsed("validate", await json("validate")).data.services).toEqual([{ name: "notes", components: ["docs"] }]);
    expect(parsed("validate-live", await json("validate", "--live", "notes")).data.ok).toBe(true);
    expect(parsed("verify", await json("verify", "--read-data")).data.findings).toEqual([]);
    expect(parsed("runs", await json("runs")).data).toEqual([]);
    expect(parsed("schema", await json("schema")).data.schema["title"]).toBe("refloat.yaml");
    expect(parsed("completion", await json("completion", "bash")).data.script).toContain("complete -F");
  });

  it("a script is refused with the command to type, and that command recovers", async () => {
    const before = await digest();
    await writeFile(docs("a.txt"), "damaged\n");
    const refused = await refloat.run(["recover", "notes"]);
    expect(refused.exit).toBe(3);
    expect(refused.stdout).toMatch(/^Plan [0-9a-f]{8} {2}notes\./);
    expect(refused.stderr).toContain("error confirm.needed: ");
    expect(await readFile(docs("a.txt"), "utf8")).toBe("damaged\n");
    const next = /^next: (.*)$/m.exec(refused.stderr)?.[1] ?? "";
    expect(next).toMatch(/^refloat recover --plan [0-9a-f]{8}$/);
    const recovered = await typed(next);
    expect(recovered.exitCode).toBe(0);
    expect(recovered.stdout).toContain("NOTES IS BACK  run 1");
    expect(recovered.stderr).toMatch(/^ {2}done {2}restore docs/m);
    expect(await digest()).toBe(before);
  });

  it("at a terminal an undo shows its plan, asks, and a yes does it, whatever was pasted before the question", async () => {
    const declined = await atTerminal("undo 1", "Undo run 1 now?", "n");
    expect(declined.exit).toBe(3);
    expect(declined.screen).toContain("confirm.declined");
    const { exit, screen } = await atTerminal("undo 1", "Undo run 1 now?", "y", "npx refloat cancel 1\n");
    expect(exit).toBe(0);
    expect(screen).toContain("NOTES IS BACK ON ITS OLD SIDE");
    expect(await readFile(docs("a.txt"), "utf8")).toBe("damaged\n");
  });

  it("a recovery is committed only with a yes, and then cannot be undone", async () => {
    const { lines } = await refloat.succeed(["recover", "notes", "--yes", "--json"]);
    const { record } = parsed("run", lines).data;
    const run = String(record.number);
    expect(lines.slice(0, -1).map((line) => eventEnvelopeSchema.parse(line).event)[0]).toBe("plan");
    const refused = await refloat.run(["commit", run]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain(`next: refloat commit ${run} --yes`);
    const committed = parsed("commit", (await refloat.succeed(["commit", run, "--yes", "--json"])).lines).data;
    expect(committed.discarded).toHaveLength(1);
    const undone = await refloat.run(["undo", run, "--yes", "--json"]);
    expect(undone.exit).toBe(3);
    expect(errorEnvelopeSchema.parse(undone.lines.at(-1)).error.code).toBe("run.wrong-state");
  });

  it("an older point that is named by a wrong word, time or id is refused as input", async () => {
    for (const at of ["nonsense", "tomorrow", "ffffffff"]) {
      const { exit, stderr } = await refloat.run(["plan", "notes", "--at", at]);
      expect({ at, exit, told: /^error (time\.unclear|point\.unknown): /.test(stderr) }).toEqual({
        at,
        exit: 2,
        told: true,
      });
    }
    const { exit, stderr } = await refloat.run(["plan", "nots"]);
    expect(exit).toBe(2);
    expect(stderr).toMatch(/^error service\.unknown: .*nots/);
  });
});

describe("streams", () => {
  it("a reader that has seen enough (| head) ends nothing and hears no complaint", async () => {
    const { stdout, stderr, exitCode } = await typed("refloat schema | head -n 1; refloat runs | head -n 1");
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")).toHaveLength(2);
    expect(stderr).toBe("");
  });

  it("an answer that finds no room ends in an error", async () => {
    const { stderr } = await typed("refloat schema >/dev/full; test $? -eq 4 || echo wrong exit >&2");
    expect(stderr).toMatch(/^error output\.failed: .*ENOSPC/);
    expect(stderr).not.toContain("wrong exit");
  });

  it("the log goes where it is told, as JSON lines, with no secret in it", async () => {
    const log = join(folder, "refloat.log");
    await refloat.succeed(["capture", "notes", "--log", log, "--verbose"]);
    const text = await readFile(log, "utf8");
    expect(text).not.toContain("correct horse");
    for (const line of text.trimEnd().split("\n"))
      expect(line === "" || typeof JSON.parse(line) === "object").toBe(true);
  });
});

describe("a mistake in the file", () => {
  it("is told by every command with its place, the fix, and exit code 2", async () => {
    const file = join(folder, "broken.yaml");
    await writeFile(file, "vault:\n  url: /v\n  passwrod: x\nservices: {}\n");
    const { exitCode, stderr } = await typed("refloat status --config broken.yaml");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("broken.yaml:3:3 |   passwrod: x");
    expect(stderr).toMatch(/^\d errors?; next: refloat --config broken\.yaml validate/m);
  });

  it("no file at all is told with the place", async () => {
    const { exitCode, stderr } = await typed("refloat status --config none.yaml");
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error config\.not-found: .*none\.yaml/);
  });
});

describe("init", () => {
  it("writes a file and a password of its own, once, and the file is right", async () => {
    const fresh = join(folder, "fresh");
    await mkdir(fresh);
    const init = `cd fresh && refloat init --yes --vault ${fresh}/vault --password-file ${fresh}/secret/password`;
    const { exitCode, stdout } = await typed(init);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Wrote ${fresh}/refloat.yaml`);
    const password = await readFile(join(fresh, "secret/password"), "utf8");
    expect(password).toMatch(/^([0-9a-f]{8}-){4}[0-9a-f]{8}\n$/);
    expect(stdout).not.toContain(password.trim());
    const again = await typed(init);
    expect(again.exitCode).toBe(3);
    expect(again.stderr).toMatch(/^error config\.exists: /);
    expect(await readFile(join(fresh, "secret/password"), "utf8")).toBe(password);
  });

  it("names next what reads the file that it wrote, and each of it works", async () => {
    const place = join(folder, "places");
    await mkdir(place);
    const { stdout } = await typed(
      `refloat init --yes --config places/init.yaml --vault ${place}/vault --password-file ${place}/password`,
    );
    const next = [...stdout.matchAll(/^(?:next| {2}or): (.*)$/gm)].map((match) => match[1] ?? "");
    expect(next).toEqual([
      "refloat --config places/init.yaml vault init",
      "refloat --config places/init.yaml validate --live",
    ]);
    // What happens to run on this machine is none of this test.
    const file = join(place, "init.yaml");
    const written = parse(await readFile(file, "utf8")) as { readonly vault: unknown };
    const docsAlone = { notes: { components: { docs: { type: "files", path: docs() } } } };
    await writeFile(file, stringify({ vault: written.vault, services: docsAlone }));
    for (const line of next) expect(await typed(line)).toMatchObject({ exitCode: 0 });
    const again = await typed(next[0] ?? "");
    expect(again.stderr).toMatch(/^error vault\.exists: /);
    expect(again.stderr).toContain("next: refloat --config places/init.yaml validate --live");
  });

  it("a vault that is made without a file is told with the line that makes the file", async () => {
    const bare = join(folder, "bare");
    await mkdir(bare);
    await writeFile(join(bare, "password"), "enough for a test\n");
    const make = `cd bare && refloat --vault ${bare}/vault --password-file password vault init`;
    const made = await typed(make);
    expect(made).toMatchObject({ exitCode: 0, stderr: "" });
    const next = /^next: (.*)$/m.exec(made.stdout)?.[1] ?? "";
    expect(next).toBe(`refloat init --vault ${bare}/vault --password-file ${bare}/password`);
    const again = await typed(make);
    expect(again.stderr).toMatch(/^error vault\.exists: /);
    const verify = /^next: (.*)$/m.exec(again.stderr)?.[1] ?? "";
    expect(await typed(`cd bare && ${verify}`)).toMatchObject({ exitCode: 0 });
    expect(await typed(`cd bare && ${next} --yes`)).toMatchObject({ exitCode: 0 });
    const there = await typed(`cd bare && ${next} --yes`);
    expect(there.stderr).toContain(`next: refloat --config ${bare}/refloat.yaml validate\n`.trim());
  });

  it("asks nobody and writes nothing without --yes in a script", async () => {
    const { exitCode, stderr } = await typed(`refloat init --config unwritten.yaml --password-file ${folder}/other`);
    expect(exitCode).toBe(3);
    expect(stderr).toContain("error confirm.needed: ");
    expect(await readdir(folder)).not.toContain("unwritten.yaml");
    expect(await readdir(folder)).not.toContain("other");
  });
});
