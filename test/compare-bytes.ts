/** Before each test file: bytes are compared as bytes. Vitest would look at each as a property, for seconds where there are millions. */
import { expect } from "vitest";

expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => (Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : undefined),
]);
