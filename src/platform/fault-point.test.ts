import { expect, it } from "vitest";
import { parseFault } from "./fault-point.ts";

it.each(["", "kill", "kill-after", "kill-after:0", "kill-after:x", "kill-during:3", " kill-after:3"])(
  "refuses a fault that it does not know: %s",
  (text) => {
    expect(() => parseFault(text)).toThrow(
      `REFLOAT_FAULT is not kill-before:SEQUENCE or kill-after:SEQUENCE: "${text}"`,
    );
  },
);

it("strikes at no other moment than its own", () => {
  const fault = parseFault("kill-after:7");
  // Were it wrong, this process would not live to see the end.
  for (const sequence of [1, 6, 8]) fault.afterCommit(sequence);
  fault.beforeCommit(7);
  expect(fault).toBeDefined();
});
