import { describe, expect, it } from "vitest";
import { tellBrowser } from "../core/browser/browser-results.ts";
import {
  type BrowserState,
  openBrowser,
  replaceLevel,
  resizeBrowser,
  shownLevel,
} from "../core/browser/browser-state.ts";
import { pressKey } from "../core/browser/press-key.ts";
import { searchLevel } from "../core/browser/search-level.ts";
import { files, folderEntry, rowOf, testEntry, testFolder } from "../core/browser/test-level.ts";
import type { FolderEntry } from "../core/ports/vault-snapshots.ts";
import { browserPageRows, renderBrowser } from "./browser-view.ts";
import { textWidth } from "./fit-text.ts";
import { type Screen, plainPaint } from "./screen.ts";

const screen: Screen = { paint: plainPaint, width: 80, timeZone: "UTC" };

const draw = (state: BrowserState, columns: number, rows: number): readonly string[] =>
  renderBrowser(resizeBrowser(state, browserPageRows({ columns, rows })), { columns, rows }, screen);

const shown = (state: BrowserState, columns: number, rows: number): string =>
  draw(state, columns, rows)
    .map((line) => line.trimEnd())
    .join("\n");

const hostile = testFolder([
  folderEntry("2026"),
  testEntry(Buffer.from([0x63, 0x61, 0x66, 0xe9]), { sizeBytes: 6 }),
  testEntry(Buffer.from("two\nlines\u001B[31m\u202Etxt.exe")),
  testEntry(Buffer.from("n".repeat(255))),
  testEntry(Buffer.from("日本語の名前".repeat(10))),
  testEntry(Buffer.from("link"), {
    type: "symlink",
    mode: 0o777,
    linkTarget: Buffer.from("/etc/\u001B]0;x"),
    contentId: null,
  }),
]);

describe("a folder", () => {
  it("aligns modes, sizes and times, and marks the row that keys act on", () => {
    expect(shown(openBrowser(hostile), 80, 12)).toMatchInlineSnapshot(`
      "7f3a91c2:uploads:invoices  point 7f3a91c2 of shop, 14:20:31                  1/6
        MODE            SIZE  CHANGED           NAME
      > drwxr-xr-x            2025-11-22 14:00  2026/
        -rw-r--r--       6 B  2025-11-22 14:00  caf\\xe9
        -rw-r--r--    1.3 MB  2025-11-22 14:00  two\\nlines\\x1b[31m\\u{202e}txt.exe
        -rw-r--r--    1.3 MB  2025-11-22 14:00  nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...
        -rw-r--r--    1.3 MB  2025-11-22 14:00  日本語の名前日本語の名前日本語の名...
        lrwxrwxrwx            2025-11-22 14:00  link -> /etc/\\x1b]0;x


      ada:staff
      q quit  ? keys  enter in  left up  / search  x extract  v versions"
    `);
  });

  it("says at forty columns what it has no column for", () => {
    expect(shown(openBrowser(hostile), 40, 10)).toMatchInlineSnapshot(`
      "7f3a91c2:uploads:invoices            1/6
            SIZE  NAME
      >           2026/
             6 B  caf\\xe9
          1.3 MB  two\\nlines\\x1b[31m\\u{202e...
          1.3 MB  nnnnnnnnnnnnnnnnnnnnnnnnn...
          1.3 MB  日本語の名前日本語の名前...
                  link -> /etc/\\x1b]0;x
      drwxr-xr-x  2025-11-22 14:00
      q quit  ? keys  enter in  left up"
    `);
  });

  it("obeys no name, and is never wider or longer than the window", () => {
    const states = [
      openBrowser(hostile),
      tellBrowser(openBrowser(hostile), `failed: ${"why ".repeat(100)}`, true),
      pressKey(openBrowser(hostile), { name: "x", text: "x" }).state,
      pressKey(openBrowser(hostile), { name: "", text: "/" }).state,
      pressKey(openBrowser(hostile), { name: "", text: "?" }).state,
      replaceLevel(openBrowser(hostile), searchLevel(hostile, "nowhere", 5)),
    ];
    for (const state of states) {
      for (const [columns, rows] of [
        [200, 50],
        [80, 24],
        [40, 12],
        [40, 3],
        [12, 4],
        [3, 1],
      ] as const) {
        const lines = draw(state, columns, rows);
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) {
          expect(textWidth(line)).toBeLessThanOrEqual(columns);
          expect(line).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
        }
      }
    }
  });

  it("formats only the rows of the page, of however many", () => {
    let asked = 0;
    const entry: FolderEntry = {
      ...testEntry(Buffer.from("any")),
      get sizeBytes() {
        asked += 1;
        return 1;
      },
    };
    const rows = Array.from({ length: 65_000 }, (_, n) => ({ ...rowOf(entry), name: `file-${n}` }));
    let state = resizeBrowser(openBrowser({ ...testFolder([]), rows }), 20);
    asked = 0;
    for (const key of ["end", "pageup", "up", "home", "pagedown"]) {
      state = pressKey(state, { name: key, text: "" }).state;
      draw(state, 80, 24);
    }
    expect(asked).toBeLessThanOrEqual(5 * 24);
    state = replaceLevel(state, searchLevel(shownLevel(state), "64999", 20));
    expect(shown(state, 80, 24)).toContain("1/1 of 65,000");
    expect(asked).toBeLessThanOrEqual(5 * 24 + 1);
  });

  it("keeps the row of the cursor where a long message takes rows away", () => {
    const end = pressKey(
      resizeBrowser(openBrowser(testFolder(files(...Array.from({ length: 50 }, (_, n) => `f${n}`)))), 6),
      {
        name: "end",
        text: "",
      },
    ).state;
    expect(shown(tellBrowser(end, "no room ".repeat(20), true), 40, 10)).toMatch(/^> .* f49$/m);
  });
});

it("the facts of one thing can be read whole on a narrow screen", () => {
  const long = "x".repeat(255);
  const level = { ...hostile, kind: "facts" as const, rows: [{ kind: "fact" as const, name: "name", text: long }] };
  const text = draw(openBrowser(level), 40, 24);
  expect(
    text
      .map((line) => line.slice(11))
      .join("")
      .replaceAll(/[^x]/g, "")
      .slice(0, 255),
  ).toBe(long);
});
