/** The thin slice on real components: one database and one folder, captured, damaged, recovered beside, switched, undone. */
import { readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

describe("a database and a folder", () => {
  let notes: NotesService;

  beforeEach(async () => {
    notes = await startNotesService();
    await notes.insert(200);
    await notes.refloat.succeed(["vault", "init"]);
  });

  afterEach(async () => {
    await notes.stop();
  });

  const damage = async (): Promise<void> => {
    await notes.query("update notes set body = 'overwritten'");
    for (const name of (await readdir(join(notes.folder, "docs"))).slice(0, 50))
      await rm(join(notes.folder, "docs", name));
  };

  it("comes back as it was captured, keeps the damaged side, and can be undone", async () => {
    const captured = await notes.digest();
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.insert(3);
    await damage();
    const damaged = await notes.digest();

    await notes.refloat.succeed(["recover", "notes", "--yes"]);
    expect(await notes.digest()).toBe(captured);
    expect(await notes.databases()).toEqual(expect.arrayContaining(["notes", "notes_old1"]));
    expect(await readdir(notes.folder)).toEqual(expect.arrayContaining(["docs", "docs.old1"]));
    const lost = await readFile(join(notes.folder, "state/runs/1/lost/db/notes.csv"), "utf8");
    expect(lost.trim().split("\n")).toHaveLength(1 + 3);

    await notes.refloat.succeed(["undo", "1", "--yes"]);
    expect(await notes.digest()).toBe(damaged);

    const { lines } = await notes.refloat.succeed(["runs", "--json"]);
    const [undo] = resultEnvelopeSchema("runs").parse(lines.at(-1)).data;
    const again = await notes.refloat.run(["recover", "--plan", undo?.digest ?? "", "--yes"]);
    expect(again.exit).toBe(3);
    expect(again.stderr).toContain("run 1 cannot be undone: it is undone already: undone by run 2");
    expect(await notes.digest()).toBe(damaged);
  });

  it("gives no number twice: sequences go on after the damaged side's highest value", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.insert(10);
    await notes.refloat.succeed(["recover", "notes", "--yes"]);
    await notes.insert(1);
    const [row] = await notes.query("select max(id) as id from notes");
    expect(Number(row?.["id"])).toBeGreaterThan(210);
  });

  it("refuses an undo that would lose new rows, lists them, and takes a point before it is forced", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await damage();
    const damaged = await notes.digest();
    await notes.refloat.succeed(["recover", "notes", "--yes"]);
    await notes.insert(2);

    const refused = await notes.refloat.run(["undo", "1", "--yes"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain("error undo.would-lose");
    expect(refused.stderr).toContain("2 new notes");
    expect(refused.stderr).toContain("refloat undo 1 --accept-loss");

    await notes.refloat.succeed(["undo", "1", "--accept-loss", "--yes"]);
    expect(await notes.digest()).toBe(damaged);
    const listed = await notes.refloat.succeed(["points", "notes", "--json"]);
    expect(JSON.stringify(listed.lines.at(-1)).match(/"recoveryOrder"/g)?.length).toBe(2);
    // What was left for a reason is not what the next recovery begins with.
    const [id] =
      /^\w{8}(?=.*left by the undo of run 1)/m.exec((await notes.refloat.succeed(["points", "notes"])).stdout) ?? [];
    expect(id).toBeDefined();
    expect((await notes.refloat.succeed(["plan", "notes"])).stdout).not.toContain(`Point ${id}`);
  });

  it("recovers only what is asked for", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.query("delete from notes where id > 100");
    await writeFile(join(notes.folder, "docs", "kept.txt"), "kept");
    await notes.refloat.succeed(["recover", "notes", "--only", "db", "--yes"]);
    expect(await notes.count()).toBe(200);
    expect(await readFile(join(notes.folder, "docs", "kept.txt"), "utf8")).toBe("kept");
  });

  it("restores beside without a cutover, and cancel removes what stands there", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await damage();
    const damaged = await notes.digest();
    await notes.refloat.succeed(["recover", "notes", "--no-cutover", "--yes"]);
    expect(await notes.digest()).toBe(damaged);
    expect(await notes.count("notes_r1")).toBe(200);
    expect(await readdir(notes.folder)).toContain("docs.r1");
    await notes.refloat.succeed(["cancel", "1", "--yes"]);
    expect(await notes.databases()).toEqual(["notes", "postgres"]);
    expect(await readdir(notes.folder)).not.toContain("docs.r1");
    expect(await notes.digest()).toBe(damaged);
  });

  it("undoes the latest cutover first", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.refloat.succeed(["recover", "notes", "--only", "docs", "--yes"]);
    await notes.refloat.succeed(["recover", "notes", "--only", "docs", "--yes"]);
    const refused = await notes.refloat.run(["undo", "1", "--yes"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain("run 1 cannot be undone: run 2 has cut over since");
    expect(refused.stderr).toContain("next: refloat undo 2");
  });

  it("refuses names that are taken or gone when it plans, and not while traffic is held", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.query("create database notes_old1");
    const taken = await notes.refloat.run(["plan", "notes"]);
    expect(taken.exit).toBe(3);
    expect(taken.stderr).toContain("run 1 needs names that are taken: notes_old1 for the old side of db");
    await notes.refloat.succeed(["recover", "notes", "--only", "docs", "--yes"]);
    await rename(join(notes.folder, "docs.old1"), join(notes.folder, "docs.kept"));
    const gone = await notes.refloat.run(["undo", "1", "--yes"]);
    expect(gone.exit).toBe(3);
    expect(gone.stderr).toContain("docs.old1, the old side of docs, is not there any more");
  });

  it("drops the old side on commit, and then there is nothing to undo", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.refloat.succeed(["recover", "notes", "--yes"]);
    await notes.refloat.succeed(["commit", "1", "--yes"]);
    expect(await notes.databases()).not.toContain("notes_old1");
    expect(await readdir(notes.folder)).not.toContain("docs.old1");
    expect((await notes.refloat.run(["undo", "1", "--yes"])).exit).toBe(3);
  });

  it("leaves no point when the database goes away in the middle, and says so", async () => {
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.server.crash();
    const failed = await notes.refloat.run(["capture", "notes"]);
    expect(failed.exit).toBe(4);
    expect(failed.stderr).toContain("error source.unreachable");
    expect(failed.stderr).toContain("no point was made");
    await notes.server.start();
    const listed = await notes.refloat.succeed(["points", "notes", "--json"]);
    expect(JSON.stringify(listed.lines.at(-1)).match(/"recoveryOrder"/g)?.length).toBe(1);
  });
});
