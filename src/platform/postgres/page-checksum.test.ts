import { expect, it, vi } from "vitest";
import { createPageCheck } from "./page-checksum.ts";

const pageBytes = 8192;
const check = createPageCheck({ startLsn: 4096n, pageBytes, segmentPages: 131_072 }, "16384");

/** In use, from before the backup began, and with no checksum that fits. */
const torn = Buffer.alloc(pageBytes, 1);
torn.writeBigUInt64LE(0n, 0);

it("looks again at a page that may be written just now, and calls what stays so spoilt", () => {
  const written = vi.fn((_offset: number, bytes: number, look: number) => (look < 3 ? torn : Buffer.alloc(bytes)));
  expect(check?.(Buffer.concat([Buffer.alloc(pageBytes), torn]), 0, written)).toBeNull();
  expect(written.mock.calls.map(([offset, , look]) => [offset, look])).toEqual([
    [pageBytes, 1],
    [pageBytes, 2],
    [pageBytes, 3],
  ]);
  expect(check?.(torn, 3 * pageBytes, () => torn)).toBe(3);
  // Cut off meanwhile.
  expect(check?.(torn, 0, () => torn.subarray(0, 100))).toBeNull();
});

it("looks at files of relations alone", () => {
  const rules = { startLsn: 4096n, pageBytes, segmentPages: 131_072 };
  const isChecked = (name: string): boolean => createPageCheck(rules, name) !== null;
  expect(["16384", "16384.1", "16384_fsm", "16384_vm.2", "16384_init"].filter((name) => !isChecked(name))).toEqual([]);
  expect(["PG_VERSION", "pg_filenode.map", "t3_16384", "pg_control", "000A"].filter(isChecked)).toEqual([]);
});
