/** What an undo has left is named, and a commit of the undo drops it: never beside an unfinished run, killed half way and given again. */
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

describe("the side that an undo has left", () => {
  let notes: NotesService;

  beforeAll(async () => {
    notes = await startNotesService();
    await notes.insert(20);
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.query("update notes set body = 'overwritten'");
    await notes.refloat.succeed(["recover", "notes", "--yes"]);
  }, 300_000);

  afterAll(async () => {
    await notes.stop();
  });

  const eventsOf = async (run: string): Promise<number> => {
    const { lines } = await notes.refloat.succeed(["runs", run, "--json"]);
    return ((lines.at(-1) ?? {})["data"] as { readonly events: readonly unknown[] }).events.length;
  };

  it("stays while a run of the service is not finished", { timeout: 300_000 }, async () => {
    const killed = await notes.refloat.run(["undo", "1", "--yes"], { REFLOAT_FAULT: "kill-before:4" });
    expect(killed.signal).toBe("SIGKILL");
    const refused = await notes.refloat.run(["commit", "1", "--yes"]);
    expect(refused.exit, `${refused.stdout}\n${refused.stderr}`).toBe(3);
    expect(refused.stderr).toContain("run 2 of notes is not finished");
    expect(await notes.databases()).toHaveLength(3);
    const undone = await notes.refloat.succeed(["resume", "2", "--yes"]);
    expect(undone.stdout).toContain("side that was left: db as notes_r1 and docs as");
    expect(undone.stdout).toContain("next: refloat points notes\n  or: refloat commit 2");
  });

  it(
    "is named by status, and dropped by a commit that was killed and is given again",
    { timeout: 300_000 },
    async () => {
      const status = await notes.refloat.succeed(["status"]);
      expect(status.stdout.replaceAll(/\s+/g, " ")).toContain("run 2 has left notes_r1");
      expect(status.stdout).toContain("next: refloat points notes\n  or: refloat commit 2");
      const recovery = await notes.refloat.run(["commit", "1", "--yes"]);
      expect(recovery.exit).toBe(3);
      expect(recovery.stderr).toContain("next: refloat commit 2");

      // Killed when both sides are dropped and nothing says so yet.
      const fault = `kill-before:${(await eventsOf("2")) + 1}`;
      const killed = await notes.refloat.run(["commit", "2", "--yes"], { REFLOAT_FAULT: fault });
      expect(killed.signal).toBe("SIGKILL");
      await notes.refloat.succeed(["commit", "2", "--yes"]);
      expect(await notes.databases()).toEqual(["notes", "postgres"]);
      expect((await readdir(notes.folder)).toSorted()).toEqual(["docs", "password", "refloat.yaml", "state", "vault"]);
      expect(await notes.query("select distinct body from notes")).toEqual([{ body: "overwritten" }]);
    },
  );
});
