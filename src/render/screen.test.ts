import { describe, expect, it } from "vitest";
import { textWidth, wrapText, cutText, hanging } from "./fit-text.ts";
import { lines, nextLine, plainPaint, printable } from "./screen.ts";
import { renderTable } from "./table.ts";

const escape = "\u001B";
const screen = { paint: plainPaint, width: 40, timeZone: "UTC" };

describe("text on a screen", () => {
  it("cannot move the cursor, whatever a file is called", () => {
    expect(printable(`a${escape}[2Jb${escape}]0;title\u0007c\r\u202Ed`)).toBe(
      "a\uFFFD[2Jb\uFFFD]0;title\uFFFDc\uFFFD\uFFFDd",
    );
    expect(printable(`${escape}[31mred${escape}[39m\tx\ny`)).toBe(`${escape}[31mred${escape}[39m x\ny`);
    expect(lines("a", null, "", ["b\u0000"])).toBe("a\nb\uFFFD");
  });

  it("is measured as a terminal shows it", () => {
    expect(textWidth("日本")).toBe(4);
    expect(cutText("日本語の名前です", 9)).toBe("日本語...");
    expect(cutText("short", 9)).toBe("short");
    expect(cutText("abcdefgh", 3)).toBe("abc");
  });

  it("breaks after commas, and at spaces only where it must", () => {
    expect(wrapText("shop > shop_old, shop_r > shop, restart app", 20)).toEqual([
      "shop > shop_old,",
      "shop_r > shop,",
      "restart app",
    ]);
    expect(wrapText("one two three four", 9)).toEqual(["one two", "three", "four"]);
    expect(wrapText("/a/very/long/path/to/copy x", 10)).toEqual(["/a/very/long/path/to/copy", "x"]);
    expect(hanging("LOSES ", "db, and uploads, and more", { width: 26 })).toEqual([
      "LOSES db, and uploads,",
      "      and more",
    ]);
  });

  it("in a table wraps one column and paints without shifting", () => {
    const columns = [{ title: "A" }, { title: "WHAT", wraps: true }, { title: "T", align: "right" as const }];
    const rows = [
      [{ text: "x", style: "red" as const }, "a long text, that is wrapped, into three lines", "1s"],
      { note: "... 2 like it" },
    ];
    expect(renderTable(columns, rows, screen)).toEqual([
      "A  WHAT                                T",
      "x  a long text, that is wrapped,      1s",
      "   into three lines",
      "  ... 2 like it",
    ]);
    const painted = renderTable(columns, rows, { ...screen, paint: (style, text) => `<${style}>${text}</${style}>` });
    expect(painted[1]).toBe("<red>x</red>  a long text, that is wrapped,      1s");
  });

  it("ends in what to type", () => {
    expect(nextLine(screen, "refloat resume 42", "refloat cancel 42")).toBe(
      "next: refloat resume 42\n  or: refloat cancel 42",
    );
  });
});
