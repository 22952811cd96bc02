import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAmount, formatBytes, formatCount, formatList } from "./quantity.ts";

describe("formatBytes", () => {
  it.each([
    [0, "0 B"],
    [1, "1 B"],
    [999, "999 B"],
    [1_000, "1 kB"],
    [4_096, "4.1 kB"],
    [999_999, "1 MB"],
    [4_100_000, "4.1 MB"],
    [9_000_000, "9 MB"],
    [212_400_000, "212 MB"],
    [999_700_000, "1 GB"],
    [1_100_000_000, "1.1 GB"],
    [1_312_000_000, "1.31 GB"],
    [12_340_000_000, "12.3 GB"],
    [123_400_000_000, "123 GB"],
    [2_500_000_000_000, "2.5 TB"],
  ])("writes %d as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("never needs more than eight characters and is right to 5 %", () => {
    const scale = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15 } as const;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        const text = formatBytes(bytes);
        const [value = "", unit = ""] = text.split(" ");
        expect(text.length).toBeLessThanOrEqual(8);
        expect(Math.abs((Number(value) * scale[unit as keyof typeof scale]) / bytes - 1)).toBeLessThan(0.05);
      }),
    );
  });
});

describe("counts and lists", () => {
  it("are written for people", () => {
    expect(formatCount(214_000)).toBe("214,000");
    expect(formatAmount(1, "tables")).toBe("1 table");
    expect(formatAmount(1, "directories")).toBe("1 directory");
    expect(formatAmount(5_012, "files")).toBe("5,012 files");
    expect(formatList([])).toBe("");
    expect(formatList(["a"])).toBe("a");
    expect(formatList(["a", "b", "c"])).toBe("a, b and c");
    expect(formatList(["a", "b", "c", "d", "e"], 3)).toBe("a, b and 3 more");
  });
});
