/** What the new side has taken is never left behind without a word by an undo. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

describe("writes that the new side has taken", () => {
  let notes: NotesService;

  const begin = async (): Promise<void> => {
    notes = await startNotesService();
    await notes.insert(10);
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "notes"]);
  };

  afterEach(async () => {
    await notes.stop();
  });

  describe("after a plain cutover", () => {
    beforeEach(() => begin());

    it(
      "are told by an undo whose recovery was killed between the switch and its record",
      { timeout: 300_000 },
      async () => {
        let told = 0;
        for (let run = 1, sequence = 20; told < 2; run += 1, sequence += 1) {
          const killed = await notes.refloat.run(["recover", "notes", "--yes", "--json"], {
            REFLOAT_FAULT: `kill-before:${sequence}`,
          });
          if (killed.exit === 0) break;
          const isSwitched = (await notes.databases()).includes(`notes_old${run}`);
          await notes.refloat.succeed(["resume", String(run), "--yes"]);
          await notes.insert(3);
          const undo = await notes.refloat.run(["undo", String(run), "--yes"]);
          expect(undo.exit, `${sequence}\n${undo.stdout}\n${undo.stderr}`).toBe(3);
          expect(undo.stderr).toContain("3 new notes");
          if (isSwitched) told += 1;
          await notes.refloat.succeed(["commit", String(run), "--yes"]);
        }
        expect(told).toBe(2);
      },
    );

    it("stop an undo that was planned before they came", { timeout: 300_000 }, async () => {
      await notes.refloat.succeed(["recover", "notes", "--yes"]);
      const shown = await notes.refloat.run(["undo", "1", "--json"]);
      expect(shown.exit).toBe(3);
      const digest = /"digest":"([0-9a-f]{8})/.exec(shown.stdout)?.[1] ?? "";
      await notes.insert(2);
      const late = await notes.refloat.run(["recover", "--plan", digest, "--yes"]);
      expect(late.exit, `${late.stdout}\n${late.stderr}`).toBe(5);
      expect(await notes.count()).toBe(12);
    });
  });
});
