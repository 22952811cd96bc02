import { describe, expect, it } from "vitest";
import { parseByteSize } from "./byte-size.ts";

describe("sizes that people write", () => {
  it.each([
    ["512", 512],
    ["500kB", 500_000],
    ["5MB", 5_000_000],
    ["1.5 GB", 1_500_000_000],
    ["16MiB", 16_777_216],
    ["2tb", 2_000_000_000_000],
  ])("reads %s", (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  it.each(["", "0", "0.1", "MB", "5 M B", "-5MB", "5MB/s", "5XB", "9e9"])("does not take %s for one", (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  });
});
