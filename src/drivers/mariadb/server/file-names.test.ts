/** Names as the server's own character set `filename` writes them. */
import { describe, expect, it } from "vitest";
import { mayBeNamed, plainName } from "./file-names.ts";

const as = { ignoresCase: false };

describe("a name of a file", () => {
  it.each([
    ["orders", "orders"],
    ["a@002fb", "a/b"],
    ["@0k@002fb@0020@0p", "ä/b é"],
    ["t@0022q@002f@0p@6f22", 't"q/é漢'],
    ["od@002dd", "od-d"],
    ["@0040", "@"],
    ["lost+found", "lost+found"],
  ])("%s may stand for %s", (encoded, name) => {
    expect(mayBeNamed(encoded, name, as)).toBe(true);
  });

  it.each([
    ["orders", "order"],
    ["orders", "orders2"],
    ["orders", "Orders"],
    ["@0k", "a"],
    ["@0k@0k", "ä"],
    ["a@002fb", "a@002fb"],
    ["a.b", "aXb"],
  ])("%s does not stand for %s", (encoded, name) => {
    expect(mayBeNamed(encoded, name, as)).toBe(false);
  });

  it("is of any case where the server takes names so", () => {
    expect(mayBeNamed("orders", "Orders", { ignoresCase: true })).toBe(true);
  });

  it("is told as far as it can be without the server", () => {
    expect(plainName("od@002dd@0k")).toBe("od-d@0k");
  });
});
