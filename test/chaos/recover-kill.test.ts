/**
 * SIGKILL at every transition that a recovery journals, on a real database and a real folder: `resume` finishes each time, what
 * was completed is not done twice, and there is one database and one folder behind the stable names throughout.
 */
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotesService, startNotesService } from "../e2e/support/notes-service.ts";

describe.each(["kill-before", "kill-after"])("%s each journal transition", (fault) => {
  let notes: NotesService;
  let captured: string;

  beforeAll(async () => {
    notes = await startNotesService();
    await notes.insert(60);
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "notes"]);
    captured = await notes.digest();
  });

  afterAll(async () => {
    await notes.stop();
  });

  it("is resumed to the end, with the switch made once and nothing left over", { timeout: 1_800_000 }, async () => {
    let kills = 0;
    for (let sequence = 1; ; sequence += 1) {
      await notes.query("update notes set body = 'damaged again'");
      const damaged = await notes.digest();
      const run = String(sequence);
      const killed = await notes.refloat.run(["recover", "notes", "--yes", "--json"], {
        REFLOAT_FAULT: `${fault}:${sequence}`,
      });
      if (killed.exit === 0) break;
      kills += 1;
      expect(killed.signal, `${killed.stdout}\n${killed.stderr}`).toBe("SIGKILL");

      // Whatever the moment, each stable name stands for one whole side: the captured one or the damaged one.
      expect([captured, damaged]).toContain(await notes.digest());

      // Killed before its first transition the run does not exist; killed after its last one there is nothing left to do.
      const existed = !(fault === "kill-before" && sequence === 1);
      const resumed = await notes.refloat.run(["resume", run, "--yes"]);
      expect(existed ? [0, 3] : [2], `${fault}:${sequence}\n${resumed.stdout}\n${resumed.stderr}`).toContain(
        resumed.exit,
      );
      if (!existed) await notes.refloat.succeed(["recover", "notes", "--yes"]);
      expect(await notes.digest()).toBe(captured);
      expect(await notes.databases()).toEqual(expect.arrayContaining(["notes", `notes_old${run}`]));
      expect(await notes.databases()).not.toContain(`notes_r${run}`);
      await notes.refloat.succeed(["commit", run, "--yes"]);
      expect(await notes.databases()).toEqual(["notes", "postgres"]);
      expect((await readdir(notes.folder)).toSorted()).toEqual(["docs", "password", "refloat.yaml", "state", "vault"]);
    }
    expect(kills).toBeGreaterThan(20);
  });
});
