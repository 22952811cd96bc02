/** The named side alone goes back: links of newer rows break only when that was accepted, older broken links always fail. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

describe("a recovery of the attachments that keeps the rows", () => {
  let notes: NotesService;

  beforeAll(async () => {
    notes = await startNotesService();
    await notes.insert(20);
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.insert(3);
  }, 300_000);

  afterAll(async () => {
    await notes.stop();
  });

  const docs = async (): Promise<number> => (await readdir(join(notes.folder, "docs"))).length;

  it("is refused with the links that would break, and done when they are accepted", { timeout: 300_000 }, async () => {
    // Also what came after the point is damaged: nothing but the point's own list can tell what will be missing.
    await rm(join(notes.folder, "docs/note-21.txt"));
    await rm(join(notes.folder, "docs/note-1.txt"));
    const refused = await notes.refloat.run(["recover", "notes", "--only", "docs", "--yes"]);
    expect(refused.exit, `${refused.stdout}\n${refused.stderr}`).toBe(3);
    expect(refused.stdout.replaceAll(/\s+/g, " ")).toContain("attachments-exist: 3 links of db, which is kept");
    expect(refused.stderr).toContain("error recover.would-break");
    const next = /next: refloat (recover notes --at \w+ --only docs --accept-loss)/.exec(refused.stderr)?.[1] ?? "";
    expect(next).not.toBe("");
    expect(await docs()).toBe(21);

    const done = await notes.refloat.succeed([...next.split(" "), "--yes"]);
    expect(await docs()).toBe(20);
    expect(await notes.count()).toBe(23);
    expect(done.stdout.replaceAll(/\s+/g, " ")).toContain(
      "Broken invariant attachments-exist: 3 of 23 links are broken",
    );
    await notes.refloat.succeed(["commit", "1", "--yes"]);
  });

  it("fails where a link was broken when the point was taken, accepted or not", { timeout: 300_000 }, async () => {
    await notes.query("update notes set attachment = 'never-there.txt' where id = 5");
    await notes.refloat.succeed(["capture", "notes"]);
    const failed = await notes.refloat.run(["recover", "notes", "--only", "docs", "--accept-loss", "--yes"]);
    expect(failed.exit, `${failed.stdout}\n${failed.stderr}`).toBe(4);
    expect(failed.stderr).toContain("never-there.txt");
    expect(await docs()).toBe(20);
  });

  it(
    "is done while the database's server is dead, and all of it is refused with a next step",
    { timeout: 300_000 },
    async () => {
      await notes.server.crash();
      const whole = await notes.refloat.run(["plan", "notes"]);
      expect(whole.exit).toBe(4);
      expect(whole.stderr).toMatch(
        /source\.unreachable: db cannot be looked at[^]*^state: nothing was changed$[^]*--only docs/m,
      );
      expect(whole.stderr).toMatch(/^next: refloat validate --live notes$/m);
      await rm(join(notes.folder, "docs/note-2.txt"));
      const done = await notes.refloat.succeed(["recover", "notes", "--only", "docs", "--yes"]);
      expect(done.stdout.replaceAll(/\s+/g, " ")).toContain("WARNING db, which is kept, could not be looked at");
      expect(await docs()).toBe(20);
      await notes.server.start();
    },
  );
});
