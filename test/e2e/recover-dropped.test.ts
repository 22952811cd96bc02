/** Where nothing stood behind a name, an undo puts the nothing back: by plan, by a failed cutover, and after a kill. */
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NotesService, startNotesService } from "./support/notes-service.ts";

type StepEvent = { readonly type: string; readonly sequence: number; readonly step?: string };

describe("a dropped database and a missing folder", () => {
  let notes: NotesService;
  let captured: string;

  beforeAll(async () => {
    notes = await startNotesService();
    await notes.insert(20);
    captured = await notes.digest();
    await notes.refloat.succeed(["vault", "init"]);
    await notes.refloat.succeed(["capture", "notes"]);
    await notes.query("drop database notes with (force)", "postgres");
    await rm(join(notes.folder, "docs"), { recursive: true });
  }, 300_000);

  afterAll(async () => {
    await notes.stop();
  });

  const standing = async (): Promise<readonly string[]> => [
    ...(await notes.databases()).filter((name) => name !== "postgres"),
    ...(await readdir(notes.folder)).filter((name) => name.startsWith("docs")),
  ];

  /** Recovers, undoes (killed if so told, then resumed), and drops what the undo has left. @returns the undo's output */
  const thereAndBack = async (run: number, kill: number | null): Promise<string> => {
    await notes.refloat.succeed(["recover", "notes", "--yes"]);
    expect(await notes.digest()).toBe(captured);
    const fault = kill === null ? {} : { REFLOAT_FAULT: `kill-before:${kill}` };
    const undo = await notes.refloat.run(["undo", String(run), "--yes"], fault);
    expect(kill === null ? undo.exit : undo.signal, `${undo.stdout}\n${undo.stderr}`).toBe(
      kill === null ? 0 : "SIGKILL",
    );
    if (kill !== null) await notes.refloat.succeed(["resume", String(run + 1), "--yes"]);
    expect(await standing()).toEqual([`notes_r${run}`, `docs.r${run}`]);
    return undo.stdout;
  };

  const drop = async (run: number): Promise<void> => {
    await notes.refloat.succeed(["commit", String(run), "--yes"]);
    expect((await readdir(notes.folder)).toSorted()).toEqual(["password", "refloat.yaml", "state", "vault"]);
    expect(await standing()).toEqual([]);
  };

  const switchEvents = async (run: number): Promise<readonly number[]> => {
    const { lines } = await notes.refloat.succeed(["runs", String(run), "--json"]);
    const { events } = (lines.at(-1) ?? {})["data"] as { readonly events: readonly StepEvent[] };
    return events.flatMap(({ step, sequence }) => (step?.startsWith("switch:") === true ? [sequence] : []));
  };

  it("come back, and go back to nothing by an undo, killed between a switch and its record too", async () => {
    expect(await thereAndBack(1, null)).toContain("nothing stood behind db and docs before run 1");
    const events = await switchEvents(2);
    await drop(2);
    expect(events).toHaveLength(4);
    const [, , first, last] = events;
    await thereAndBack(3, first ?? 0);
    await drop(4);
    await thereAndBack(5, last ?? 0);
    await drop(6);
  }, 600_000);

  it("go back to nothing when the cutover fails, and the run says undone", { timeout: 300_000 }, async () => {
    const run = 7;
    // Both names are switched when the folder's reader does not come to terms with what it finds there.
    const [file, path] = [join(notes.folder, "refloat.yaml"), `path: ${join(notes.folder, "docs")}`];
    const reload = `reload: test ! -e ${join(notes.folder, "docs")}`;
    await writeFile(file, (await readFile(file, "utf8")).replace(path, `${path}\n        ${reload}`));
    const failed = await notes.refloat.run(["recover", "notes", "--yes"]);
    expect(failed.exit, `${failed.stdout}\n${failed.stderr}`).toBe(5);
    expect(failed.stderr).toContain("docs could not be reloaded");
    expect(await standing()).toEqual([`notes_r${run}`, `docs.r${run}`]);
    await notes.refloat.succeed(["cancel", String(run), "--yes"]);
    expect(await standing()).toEqual([]);
  });
});
