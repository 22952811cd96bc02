/** What the new side takes while an undo with accepted loss goes on: in a second point, and what came even later in an export. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

type Points = { readonly points: readonly { readonly manifest: { readonly components: PointComponents } }[] };
type PointComponents = { readonly db: { readonly facts: { readonly counts: { readonly rows: number } } } };

describe("writes that come while an undo goes on", () => {
  let notes: NotesService;

  beforeAll(async () => {
    notes = await startNotesService();
    await notes.insert(20);
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.refloat.succeed(["recover", "notes", "--yes"]);
    await notes.insert(1);
  }, 300_000);

  afterAll(async () => {
    await notes.stop();
  });

  it("are in a second point, or in an export that the report names", { timeout: 600_000 }, async () => {
    // Run 2: 1 begun, 2 and 3 the first point, 4 the second one begins.
    const first = await notes.refloat.run(["undo", "1", "--accept-loss", "--yes"], { REFLOAT_FAULT: "kill-before:4" });
    expect(first.signal, `${first.stdout}\n${first.stderr}`).toBe("SIGKILL");
    await notes.insert(1);
    // 4 taken up, 5 and 6 the second point, 7 the first switch begins.
    const second = await notes.refloat.run(["resume", "2", "--yes"], { REFLOAT_FAULT: "kill-before:7" });
    expect(second.signal, `${second.stdout}\n${second.stderr}`).toBe("SIGKILL");
    await notes.insert(1);
    const mixed = await notes.refloat.run(["capture", "notes"]);
    expect(mixed.exit).toBe(3);
    expect(mixed.stderr).toContain("run 2 of notes is in its cutover: a point would be of two sides");
    expect(mixed.stderr).toContain("no point was made; the last is");
    expect(mixed.stderr).toContain("next: refloat resume 2");
    const undone = await notes.refloat.succeed(["resume", "2", "--yes"]);

    expect(await notes.count()).toBe(20);
    const { lines } = await notes.refloat.succeed(["points", "notes", "--json"]);
    const { points } = (lines.at(-1) ?? {})["data"] as Points;
    const counts = points.map(({ manifest }) => manifest.components.db.facts.counts.rows);
    // Where a busy machine had a step tried again, the kill came before its point was noted: another one was taken, which has the late row too.
    const isInPoint = counts.length === 4;
    expect(counts).toEqual(isInPoint ? [23, 22, 21, 20] : [22, 21, 20]);
    const told = undone.stdout.replaceAll(/\s+/g, " ").includes("1 notes, written after the last point");
    expect(told).toBe(!isInPoint);
    const late = isInPoint
      ? "id,body\none"
      : await readFile(join(notes.folder, "state/runs/2/lost/db/notes.csv"), "utf8");
    expect(late.trim().split("\n")).toHaveLength(1 + 1);
  });
});
