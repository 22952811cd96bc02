import { expect, test } from "vitest";
import { refuseUnswitchable } from "./refuse-unswitchable.ts";

const components = {
  search: { unswitchable: { why: "search declares no switch: line" } },
  cache: { unswitchable: { why: "cache: a Sentinel watches it", remedy: "SENTINEL REMOVE its name" } },
  db: {},
};
const ask =
  (scope: readonly string[], cutover = true) =>
  () =>
    refuseUnswitchable({ service: "shop", scope, cutover, components });

test("what nothing can be put behind is refused before anything is restored, with the two ways round it", () => {
  expect(ask(["db", "search"])).toThrow(
    expect.objectContaining({
      code: "plan.impossible",
      message: "no cutover is possible: search declares no switch: line",
      hint: expect.stringContaining("--only db") as string,
      nextCommand: "refloat recover shop --no-cutover",
    }),
  );
  expect(ask(["search"])).toThrow(expect.objectContaining({ hint: expect.not.stringContaining("--only") as string }));
});

test("what would let it be switched is named before the way round it", () => {
  expect(ask(["cache", "db"])).toThrow(
    expect.objectContaining({
      message: "no cutover is possible: cache: a Sentinel watches it",
      hint: expect.stringMatching(/^SENTINEL REMOVE its name; --no-cutover .*--only db$/) as string,
    }),
  );
});

test("a recovery without cutover, or without it, goes on", () => {
  expect(ask(["db", "search"], false)).not.toThrow();
  expect(ask(["db"])).not.toThrow();
});
