import { expect, it } from "vitest";
import { type DescriptionFacts, describeStep } from "./describe-step.ts";

it.each([
  ["validated", "until everything is validated"],
  ["served", "until users are on the new side"],
] as const)("says what is waited for: %s", (waitsFor, what) => {
  expect(describeStep({ kind: "wait", for: waitsFor }, {} as DescriptionFacts)).toEqual({ title: "wait", what });
});
