import { describe, expect, it } from "vitest";
import { commandTable } from "./command-table.ts";
import { answerUnknownCommand, answeredWords } from "./unknown-word.ts";

const heads = new Set(commandTable.map(({ name }) => name.split(" ")[0] ?? name));

describe("answers to words that are no command", () => {
  it("are given to no word that is one, since nobody would ever read them", () => {
    expect(answeredWords.filter((word) => heads.has(word))).toEqual([]);
  });

  it("never call missing what is there under another word", () => {
    const second = commandTable.flatMap(({ name }) => name.split(" ").slice(1));
    for (const word of second) {
      expect(answerUnknownCommand(word, null, [...heads]) ?? "").not.toMatch(/not in this version/);
    }
    expect(answerUnknownCommand("keys", null, [...heads])).toBe("refloat vault keys");
    expect(answerUnknownCommand("drill", null, [...heads])).toMatch(/not in this version; /);
  });

  it("name only commands that there are", () => {
    const names = new Set(commandTable.map(({ name }) => name));
    for (const word of answeredWords) {
      const said = answerUnknownCommand(word, null, [...heads]) ?? "";
      for (const [, first = "", next = ""] of said.matchAll(/\brefloat ([a-z]+)(?: ([a-z]+))?/g))
        expect(names.has(first) || names.has(`${first} ${next}`) || first === "lists").toBe(true);
    }
  });
});
