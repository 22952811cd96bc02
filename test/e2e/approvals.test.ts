/** Gates and manual steps of a real run: it waits for people, survives between them, and its report says who did what. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

const me = userInfo().username;

describe("a run that needs people", () => {
  let folder: string;
  let refloat: RefloatProgram;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-approvals-"));
    await mkdir(join(folder, "docs"));
    await writeFile(join(folder, "docs/note"), "as captured");
    await writeFile(join(folder, "password"), "correct horse", { mode: 0o600 });
    refloat = await declare("{ by: [dba-on-call], expires: 4h }");
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
    await writeFile(join(folder, "docs/note"), "damaged");
  }, 300_000);

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  const declare = async (approve: string): Promise<RefloatProgram> => {
    await writeFile(
      join(folder, "refloat.yaml"),
      [
        `vault: { url: ${folder}/vault, password: "\${file:${folder}/password}" }`,
        "services:",
        "  notes:",
        "    components:",
        `      docs: { type: files, path: ${folder}/docs }`,
        `    approve: ${approve}`,
        "    manual:",
        "      - name: Move the payment webhook",
        "        do: Point the webhook at ${docs.path}.",
        "        expect: the test event answers 200",
        "        takes: 3m",
        "      - { name: Tell the customers, after: cutover, do: Write to them. }",
        "",
      ].join("\n"),
    );
    return refloatIn(folder);
  };

  it("plans them, waits at each, and tells what people did", { timeout: 300_000 }, async () => {
    const plan = await refloat.succeed(["plan", "notes"]);
    expect(plan.stdout).toMatch(
      /approve +cut notes over to the restored side\? \(needs? .*one of dba-on-call|approve .*one of dba-on-call/,
    );
    expect(plan.stdout).toMatch(/Move the payment webhook +by hand: Point the webhook/);

    // `--yes` is a yes of whoever gave it: not of somebody else's role.
    const waits = await refloat.run(["recover", "notes", "--yes"]);
    expect(waits).toMatchObject({ exit: 6 });
    expect(waits.stdout.replaceAll(/\s+/g, " ")).toContain(
      "needs one of dba-on-call: refloat approve 1, then refloat resume 1",
    );
    expect(await readFile(join(folder, "docs/note"), "utf8")).toBe("damaged");

    const refused = await refloat.run(["approve", "1"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain(`dba-on-call may answer, and ${me} is none of them`);
    expect((await refloat.run(["approve", "1", "--override"])).exit).toBe(2);
    await refloat.succeed(["approve", "1", "--override", "--reason", "nobody answers the phone"]);

    const atWebhook = await refloat.run(["resume", "1"]);
    expect(atWebhook).toMatchObject({ exit: 6 });
    expect(atWebhook.stdout.replaceAll(/\s+/g, " ")).toMatch(
      /Move the payment webhook: Point the webhook at \S*docs\S*\. Expect: the test event answers 200/,
    );
    expect((await refloat.run(["skip", "1", "switch:docs", "--reason", "x"])).exit).toBe(2);

    const edit = (...words: readonly string[]) => refloat.run(["edit", "1", ...words, "--reason", "it was moved"]);
    const undone = await edit("restore:docs", "timeout", "6h");
    expect(undone).toMatchObject({ exit: 3 });
    expect(undone.stderr).toContain("restore:docs of run 1 has been done: an edit would change nothing");
    expect((await edit("switch:docs", "count", "1")).exit).toBe(2);
    expect((await edit("switch:docs", "timeout", "soon")).stderr).toContain("a duration is a number with a unit");
    const edited = await edit("move-the-payment-webhook", "do", "Point the new webhook at ${docs.path}.");
    expect(edited.stdout).toMatch(/^plan [0-9a-f]{8} is now plan [0-9a-f]{8}$/m);
    expect(edited.stdout).toContain("yes has to be said again to approve: it was said of other instructions");
    const asksAgain = await refloat.run(["resume", "1"]);
    expect(asksAgain.stdout.replaceAll(/\s+/g, " ")).toContain("needs one of dba-on-call: refloat approve 1");
    await refloat.succeed(["approve", "1", "--override", "--reason", "nobody answers the phone"]);
    expect((await refloat.run(["resume", "1"])).stdout.replaceAll(/\s+/g, " ")).toContain("Point the new webhook at /");
    await refloat.succeed(["done", "1", "move-the-payment-webhook", "--evidence", "event 7 answered 200"]);

    const afterwards = await refloat.run(["resume", "1"]);
    expect(afterwards).toMatchObject({ exit: 6 });
    expect(await readFile(join(folder, "docs/note"), "utf8")).toBe("as captured");
    const late = await edit("tell-the-customers", "do", "Call them.");
    expect(late).toMatchObject({ exit: 3 });
    expect(late.stderr).toContain(
      "do of manual:tell-the-customers was approved, and run 1 is in its cutover or past it",
    );
    await refloat.succeed(["skip", "1", "tell-the-customers", "--reason", "nobody noticed"]);

    const done = await refloat.succeed(["resume", "1"]);
    const report = done.stdout.replaceAll(/\s+/g, " ");
    expect(report).toContain(`approve OVERRIDDEN by ${me}: nobody answers the phone`);
    expect(report).toContain(`Move the payment webhook: ${me}, saw: event 7 answered 200`);
    expect(report).toContain(
      "manual:move-the-payment-webhook do Point the new webhook at ${docs.path}., was Point the webhook",
    );
    expect(report).toMatch(/plan [0-9a-f]{8}, edited from [0-9a-f]{8}, followed/);
    expect(report).toContain("plan edited once");
    expect(report).toContain(`Tell the customers: skipped by ${me}: nobody noticed`);
    expect(report).toContain(
      `warning: the approval was OVERRIDDEN by ${me}, against one of dba-on-call: nobody answers the phone`,
    );

    const log = (await refloat.succeed(["log", "--json"])).stdout;
    expect(log).toContain('"outcome":"overridden"');
    expect(log).toContain("event 7 answered 200");
    expect((await refloat.run(["approve", "1"])).stderr).toMatch(/has ended|no step/);
  });

  // Only root can be somebody else: who comes by sudo is whoever called it.
  it.runIf(process.getuid?.() === 0)("takes two people, each once", { timeout: 300_000 }, async () => {
    refloat = await declare("{ by: [anna, ben], count: 2 }");
    await refloat.succeed(["capture", "notes"]);
    const asks = await refloat.run(["recover", "notes", "--yes"]);
    expect(asks).toMatchObject({ exit: 6 });
    const run = /refloat approve (\d+)/.exec(asks.stdout.replaceAll(/\s+/g, " "))?.[1] ?? "";
    const as = (person: string, args: readonly string[]) => refloat.run(args, { SUDO_USER: person });
    expect((await as("eve", ["approve", run])).exit).toBe(3);
    for (const _twice of [1, 2]) {
      expect((await as("anna", ["approve", run])).stdout).toContain("still needs 2 people of anna, ben, has anna");
      expect((await refloat.run(["resume", run])).exit).toBe(6);
    }
    await refloat.succeed(["edit", run, "move-the-payment-webhook", "do", "Point it back.", "--reason", "it moved"]);
    expect((await as("ben", ["approve", run])).stdout).toContain("still needs 2 people of anna, ben, has ben");
    expect((await as("anna", ["approve", run])).stdout).toContain(`next: refloat resume ${run}`);
    const waits = await refloat.run(["resume", run]);
    expect(waits.stdout.replaceAll(/\s+/g, " ")).toContain("Move the payment webhook");
    expect(waits.stdout).toContain("approve: yes, ben and anna");
    await refloat.succeed(["cancel", run]);
  });
});
