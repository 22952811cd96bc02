import { describe, expect, it } from "vitest";
import { RefloatError } from "../model/refloat-error.ts";
import { commandsAsTyped, withTypedCommand } from "./as-typed.ts";

const verbs = ["points", "runs", "cancel", "resume", "log", "vault", "plan", "validate"];
const nothing = { config: null, vault: null, passwordFile: null, state: null, vaultAsOf: null };

describe("a command that is shown as the next step", () => {
  it("stays as it is where nothing was named", () => {
    expect(commandsAsTyped(nothing, verbs, "refloat")("refloat resume 42")).toBe("refloat resume 42");
  });

  it("begins as this program is started here, and once", () => {
    const asTyped = commandsAsTyped({ ...nothing, config: "other.yaml" }, verbs, "npx refloat");
    const typed = "npx refloat --config other.yaml resume 42 | npx refloat --config other.yaml cancel 42";
    expect(asTyped("refloat resume 42 | refloat cancel 42")).toBe(typed);
    expect(asTyped(typed)).toBe(typed);
    expect(commandsAsTyped(nothing, verbs, "npx refloat")("why: refloat plan --help")).toBe(
      "why: npx refloat plan --help",
    );
  });

  it("names no file of a password that the declaration names", () => {
    const asTyped = commandsAsTyped({ ...nothing, config: "a.yaml", passwordFile: "key" }, verbs, "refloat");
    expect(asTyped("refloat validate --live")).toBe("refloat --config a.yaml validate --live");
  });

  it("names the file and the state folder again", () => {
    const asTyped = commandsAsTyped({ ...nothing, config: "other.yaml", state: "/state" }, verbs, "refloat");
    expect(asTyped("refloat resume 42")).toBe("refloat --config other.yaml --state /state resume 42");
    expect(asTyped("refloat --config x.yaml validate")).toBe("refloat --config x.yaml validate");
  });

  it("names the vault again, and what opens it, in words that a shell takes", () => {
    const asTyped = commandsAsTyped(
      {
        ...nothing,
        vault: "s3:https://h/b/my vault",
        passwordFile: "key",
        vaultAsOf: "2026-11-20 14:05",
      },
      verbs,
      "refloat",
    );
    const named = "refloat --vault 's3:https://h/b/my vault' --password-file key --vault-as-of '2026-11-20 14:05'";
    expect(asTyped("refloat points notes")).toBe(`${named} points notes`);
    expect(asTyped("refloat resume 42 | refloat cancel 42")).toBe(`${named} resume 42 | ${named} cancel 42`);
    expect(asTyped("apt-get install refloat restic")).toBe("apt-get install refloat restic");
    expect(asTyped("refloat plan --help")).toBe("refloat plan --help");
    expect(asTyped("refloat --vault URL points")).toBe("refloat --vault URL points");
  });

  it("says once what the command itself says otherwise", () => {
    const asTyped = commandsAsTyped({ ...nothing, vault: "/v", vaultAsOf: "2026-11-20 14:05" }, verbs, "refloat");
    expect(asTyped("refloat --vault-as-of 2026-11-19T00:00:00Z points")).toBe(
      "refloat --vault /v --vault-as-of 2026-11-19T00:00:00Z points",
    );
  });

  it("is one in the prose of a hint", () => {
    const asTyped = commandsAsTyped({ ...nothing, vault: "/v" }, verbs, "refloat");
    expect(asTyped("is vault.password the right one? (refloat vault keys list, with one that opens it)")).toBe(
      "is vault.password the right one? (refloat --vault /v vault keys list, with one that opens it)",
    );
    expect(asTyped("move it away: `refloat log --verify` tells what is missing; or refloat --vault URL points")).toBe(
      "move it away: `refloat --vault /v log --verify` tells what is missing; or refloat --vault URL points",
    );
    expect(asTyped("go on with it, or remove what it built: refloat cancel 42")).toBe(
      "go on with it, or remove what it built: refloat --vault /v cancel 42",
    );
    expect(asTyped("apt-get install refloat, which Refloat needs")).toBe(
      "apt-get install refloat, which Refloat needs",
    );
  });

  it("is that of the error too, which is the same else", () => {
    const asTyped = commandsAsTyped({ ...nothing, vault: "/v" }, verbs, "refloat");
    const cause = new Error("first");
    const hint = "refloat runs says more";
    const given = { cause, state: "s", hint, context: { a: 1 }, nextCommand: "refloat points" };
    const typed = withTypedCommand(new RefloatError("vault.damaged", "m", given), asTyped);
    const { code, message, state, context, nextCommand } = typed;
    expect({ code, message, state, hint: typed.hint, context, nextCommand }).toEqual({
      code: "vault.damaged",
      message: "m",
      state: "s",
      hint: "refloat --vault /v runs says more",
      context: { a: 1 },
      nextCommand: "refloat --vault /v points",
    });
    expect(typed.cause).toBe(cause);
    const silent = new RefloatError("vault.damaged", "m");
    expect(withTypedCommand(silent, asTyped)).toBe(silent);
  });
});
