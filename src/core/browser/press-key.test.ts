import { describe, expect, it } from "vitest";
import type { PointId } from "../../model/identifiers.ts";
import { enterLevel, riseToLevel, tellBrowser, tellWork } from "./browser-results.ts";
import {
  type BrowserEffect,
  type BrowserState,
  freshLevel,
  openBrowser,
  resizeBrowser,
  shownLevel,
  visibleCount,
  visibleRow,
} from "./browser-state.ts";
import { pressKey } from "./press-key.ts";
import { files, folderEntry, testFolder, testPoint } from "./test-level.ts";

const named: Readonly<Record<string, string>> = { "/": "", "?": "", " ": "space", ".": "", "~": "" };

/** `up`, `G`, `"text"` for what is typed letter by letter. */
const press = (begin: BrowserState, ...keys: readonly string[]): { state: BrowserState; effects: BrowserEffect[] } => {
  let state = begin;
  const effects: BrowserEffect[] = [];
  for (const key of keys.flatMap((word) => (word.startsWith('"') ? word.slice(1, -1).split("") : [word]))) {
    const isLetter = key.length === 1;
    const pressed = pressKey(state, {
      name: isLetter ? (named[key] ?? key.toLowerCase()) : key,
      text: isLetter ? key : "",
    });
    state = pressed.state;
    if (pressed.effect !== null) effects.push(pressed.effect);
  }
  return { state, effects };
};

const cursorOn = (state: BrowserState): string | undefined => {
  const level = shownLevel(state);
  return visibleRow(level, level.cursor)?.name;
};

const many = testFolder(files(...Array.from({ length: 100 }, (_, n) => `file-${n}.txt`)));
const start = resizeBrowser(openBrowser(many), 10);

describe("moving", () => {
  it("goes by lines, pages and to the ends, and never beyond them", () => {
    for (const [keys, at] of [
      [["down", "j", "ctrl-n", "k"], 2],
      [["up"], 0],
      [["pagedown", " "], 20],
      [["pagedown", "ctrl-b"], 0],
      [["end"], 99],
      [["G", "down"], 99],
      [["G", "g"], 0],
      [["end", "home"], 0],
    ] as const) {
      expect({ keys, at: shownLevel(press(start, ...keys).state).cursor }).toEqual({ keys, at });
    }
  });

  it("keeps the cursor on the page, however the window is made", () => {
    let { state } = press(start, "G");
    expect(shownLevel(state)).toMatchObject({ cursor: 99, top: 90 });
    state = press(state, "up", "up").state;
    expect(shownLevel(state)).toMatchObject({ cursor: 97, top: 90 });
    state = resizeBrowser(state, 3);
    expect(shownLevel(state)).toMatchObject({ cursor: 97, top: 95 });
    state = resizeBrowser(state, 500);
    expect(shownLevel(state)).toMatchObject({ cursor: 97, top: 0 });
  });

  it("an empty folder has no row to act on", () => {
    const empty = openBrowser(testFolder([]));
    const { state, effects } = press(empty, "down", "G", "return", "x", "v");
    expect(effects).toEqual([]);
    expect(shownLevel(state)).toMatchObject({ cursor: 0, top: 0 });
    expect(state.message?.text).toContain("versions");
  });
});

describe("in and out", () => {
  const folder = resizeBrowser(openBrowser(testFolder([folderEntry("2025"), folderEntry("2026")])), 10);

  it("Enter asks for what the cursor stands on, and comes back to it", () => {
    const { state, effects } = press(folder, "down", "return");
    const inside = Buffer.from("invoices/2026");
    expect(effects).toMatchObject([{ kind: "open", place: { point: testPoint, component: "uploads", inside } }]);
    expect(state.mode.kind).toBe("work");
    const within = enterLevel(state, testFolder(files("1.pdf"), "invoices/2026"));
    expect(cursorOn(within)).toBe("1.pdf");
    const back = press(within, "left");
    expect(back.effects).toEqual([]);
    expect(cursorOn(back.state)).toBe("2026");
  });

  it("beyond where one began, what lies above is asked for, with the cursor on where one comes from", () => {
    const { state, effects } = press(folder, "backspace");
    expect(effects).toEqual([{ kind: "rise", place: shownLevel(folder).place }]);
    const above = testFolder([folderEntry("a"), folderEntry("invoices")], "");
    expect(cursorOn(riseToLevel(state, above))).toBe("invoices");
    const top = openBrowser(
      freshLevel({ ...above, kind: "point", place: { point: testPoint, component: null, inside: new Uint8Array() } }),
    );
    expect(press(top, "h")).toMatchObject({
      effects: [],
      state: { message: { text: "this is the whole point; q leaves" } },
    });
  });

  it("while the vault is read only leaving and stopping count, and an error leaves everything where it was", () => {
    const { state } = press(folder, "down", "return");
    expect(press(state, "j", "x", "/").state).toEqual(state);
    expect(press(state, "escape").effects).toEqual([{ kind: "stop" }]);
    expect(press(state, "q").effects).toEqual([{ kind: "quit" }]);
    expect(tellWork(state, "reading on").mode).toEqual({ kind: "work", what: "reading on" });
    const failed = tellBrowser(state, "vault.damaged: a pack is gone", true);
    expect(cursorOn(failed)).toBe("2026");
    expect(failed.mode.kind).toBe("look");
    expect(tellWork(failed, "too late")).toEqual(failed);
    expect(press(failed, "down").state.message).toBeNull();
  });
});

describe("searching", () => {
  it("narrows letter by letter in any case, and Enter keeps what is left", () => {
    const { state } = press(start, "/", '"E-9"');
    expect(visibleCount(shownLevel(state))).toBe(11);
    expect(cursorOn(state)).toBe("file-9.txt");
    const kept = press(state, "backspace", "backspace", "ctrl-u", '"99"', "return", "down");
    expect(cursorOn(kept.state)).toBe("file-99.txt");
    expect(press(kept.state, "return").effects).toMatchObject([{ kind: "open" }]);
    // Escape first shows everything again, then leaves.
    const all = press(kept.state, "escape");
    expect(all.effects).toEqual([]);
    expect(shownLevel(all.state)).toMatchObject({ cursor: 99, visible: null });
    expect(press(all.state, "escape").effects).toEqual([{ kind: "quit" }]);
  });

  it("given up it goes back to where it began", () => {
    const { state } = press(start, "pagedown", "/", '"none such"');
    expect(visibleCount(shownLevel(state))).toBe(0);
    expect(shownLevel(press(state, "escape").state)).toMatchObject({ cursor: 10, visible: null, search: "" });
    expect(press(start, "/", "backspace").state.mode.kind).toBe("look");
    // q is a letter here.
    expect(press(start, "/", "q").effects).toEqual([]);
  });
});

describe("extracting and versions", () => {
  const place = { point: testPoint, component: "uploads", inside: Buffer.from("invoices/file-1.txt") };

  it("asks for the folder, and offers the last one again", () => {
    const asked = press(start, "down", "x");
    expect(asked.effects).toEqual([]);
    expect(asked.state.mode).toEqual({ kind: "target", place, name: "file-1.txt", typed: "." });
    const { state, effects } = press(asked.state, "ctrl-u", '"~/q a"', "ctrl-w", '"out"', "return");
    expect(effects).toEqual([{ kind: "extract", place, folder: "~/q out", name: "file-1.txt" }]);
    const next = press(tellBrowser(state, "done"), "x");
    expect(next.state.mode).toMatchObject({ typed: "~/q out" });
    expect(press(next.state, "escape").state.message?.text).toBe("nothing was extracted");
    expect(press(next.state, "ctrl-u", "return").effects).toEqual([]);
  });

  it("a version is opened and extracted out of the newest point that holds it, under a name of its own", () => {
    const asked = press(start, "down", "v");
    expect(asked.effects).toEqual([{ kind: "versions", place }]);
    const older = "5d0c88e1".padEnd(64, "0") as PointId;
    const versions = freshLevel({
      kind: "versions",
      place,
      title: "versions",
      about: "",
      rows: [
        { kind: "version", name: "7f3a91c2", points: [testPoint], entry: null, table: null },
        { kind: "version", name: "5d0c88e1", points: [older], entry: null, table: null },
      ],
    });
    const { state } = press(enterLevel(asked.state, versions), "down", "x");
    expect(state.mode).toMatchObject({ place: { ...place, point: older }, name: "5d0c88e1-file-1.txt" });
  });

  it("a folder has no versions, and a table's name may be anything", () => {
    const folder = openBrowser(testFolder([folderEntry("2025")]));
    expect(press(folder, "v")).toMatchObject({ effects: [], state: { message: { failed: false } } });
    const table = { name: '"a/b"', aliases: [], rows: 1, sizeBytes: 1, sha256: null, hasRows: true };
    const tables = freshLevel({
      kind: "tables",
      place: { point: testPoint, component: "db", inside: new Uint8Array() },
      title: "",
      about: "",
      rows: [{ kind: "table", name: '"a/b"', table }],
    });
    expect(press(openBrowser(tables), "x").state.mode).toMatchObject({
      name: '"a_b".csv',
      place: { inside: { table: '"a/b"' } },
    });
  });

  it("the keys are shown, and left again", () => {
    const { state } = press(start, "?");
    expect(shownLevel(state).kind).toBe("keys");
    expect(shownLevel(press(state, "?", "left").state).kind).toBe("folder");
    for (const key of ["q", "escape", "ctrl-c", "ctrl-d"])
      expect(press(start, key).effects).toEqual([{ kind: "quit" }]);
  });
});
