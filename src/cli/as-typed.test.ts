import { describe, expect, it } from "vitest";
import { RefloatError } from "../model/refloat-error.ts";
import { commandsAsTyped, withTypedCommand } from "./as-typed.ts";

const nothing = { config: null, vault: null, passwordFile: null, state: null, vaultAsOf: null };

describe("a command that is shown as the next step", () => {
  it("stays as it is where nothing was named", () => {
    expect(commandsAsTyped(nothing)("refloat resume 42")).toBe("refloat resume 42");
  });

  it("names the file and the state folder again", () => {
    const asTyped = commandsAsTyped({ ...nothing, config: "other.yaml", state: "/state" });
    expect(asTyped("refloat resume 42")).toBe("refloat --config other.yaml --state /state resume 42");
    expect(asTyped("refloat --config x.yaml validate")).toBe("refloat --config x.yaml validate");
  });

  it("names the vault again, and what opens it, in words that a shell takes", () => {
    const asTyped = commandsAsTyped({
      ...nothing,
      vault: "s3:https://h/b/my vault",
      passwordFile: "key",
      vaultAsOf: "2026-11-20 14:05",
    });
    const named = "refloat --vault 's3:https://h/b/my vault' --password-file key --vault-as-of '2026-11-20 14:05'";
    expect(asTyped("refloat points notes")).toBe(`${named} points notes`);
    expect(asTyped("refloat resume 42 | refloat cancel 42")).toBe(`${named} resume 42 | ${named} cancel 42`);
    expect(asTyped("apt-get install refloat restic")).toBe("apt-get install refloat restic");
    expect(asTyped("refloat plan --help")).toBe("refloat plan --help");
    expect(asTyped("refloat --vault URL points")).toBe("refloat --vault URL points");
  });

  it("is that of the error too, which is the same else", () => {
    const asTyped = commandsAsTyped({ ...nothing, vault: "/v" });
    const cause = new Error("first");
    const given = { cause, state: "s", hint: "h", context: { a: 1 }, nextCommand: "refloat points" };
    const typed = withTypedCommand(new RefloatError("vault.damaged", "m", given), asTyped);
    const { code, message, state, hint, context, nextCommand } = typed;
    expect({ code, message, state, hint, context, nextCommand }).toEqual({
      code: "vault.damaged",
      message: "m",
      state: "s",
      hint: "h",
      context: { a: 1 },
      nextCommand: "refloat --vault /v points",
    });
    expect(typed.cause).toBe(cause);
    const silent = new RefloatError("vault.damaged", "m");
    expect(withTypedCommand(silent, asTyped)).toBe(silent);
  });
});
