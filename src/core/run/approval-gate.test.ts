import { describe, expect, it } from "vitest";
import type { PlanDigest } from "../../model/identifiers.ts";
import type { SpokenWord } from "../../model/run-word.ts";
import { type Gate, describeNeeds, judgeGate, mayApprove } from "./approval-gate.ts";

const gate: Gate = { kind: "approve", reason: "cut over?", by: ["oncall", "dba"], count: 2, expires: "4h" };
const now = "2026-03-01T16:00:00.000Z";
const word = (says: SpokenWord["says"], by: string, roles: readonly string[], at = now): SpokenWord => ({
  says,
  step: null,
  by,
  roles: [...roles],
  at,
});

describe("an approval gate", () => {
  it("opens by as many different people of its roles as it takes", () => {
    const anna = word("yes", "anna", ["anna", "oncall"]);
    expect(judgeGate(gate, [], now)).toEqual({ kind: "closed", by: [] });
    expect(judgeGate(gate, [anna, anna], now)).toEqual({ kind: "closed", by: ["anna"] });
    expect(judgeGate(gate, [anna, word("yes", "eve", ["eve", "sales"])], now).kind).toBe("closed");
    expect(judgeGate(gate, [anna, word("yes", "ben", ["dba"])], now)).toEqual({ kind: "open", by: ["anna", "ben"] });
  });

  it("forgets a yes that is too old", () => {
    const old = word("yes", "anna", ["oncall"], "2026-03-01T11:59:59.000Z");
    expect(judgeGate(gate, [old, word("yes", "ben", ["dba"])], now)).toEqual({ kind: "closed", by: ["ben"] });
    const fresh = word("yes", "anna", ["oncall"], "2026-03-01T12:00:00.000Z");
    expect(judgeGate(gate, [fresh, word("yes", "ben", ["dba"])], now).kind).toBe("open");
  });

  it("is closed for good by a no, and opened by an override with its reason", () => {
    expect(judgeGate(gate, [word("no", "ben", ["dba"]), word("yes", "anna", ["oncall"])], now)).toEqual({
      kind: "refused",
      by: "ben",
      reason: null,
    });
    const override = { ...word("override", "eve", ["sales"]), reason: "the identity provider is down" };
    expect(judgeGate(gate, [override], now)).toEqual({
      kind: "overridden",
      by: "eve",
      reason: "the identity provider is down",
    });
  });

  it("counts no yes and no override of before an edit of what people are told", () => {
    const [before, after] = ["a", "b"].map((digit) => digit.repeat(64)) as [PlanDigest, PlanDigest];
    const edited = (field: string): SpokenWord => ({
      ...word("edit", "eve", ["sales"]),
      edit: { field, from: "", to: "", before, after },
    });
    const [anna, ben] = [word("yes", "anna", ["oncall"]), word("yes", "ben", ["dba"])];
    expect(judgeGate(gate, [anna, edited("do"), ben], now)).toEqual({ kind: "closed", by: ["ben"] });
    expect(judgeGate(gate, [anna, ben, edited("expect")], now)).toEqual({ kind: "closed", by: [] });
    expect(judgeGate(gate, [word("override", "eve", ["sales"]), edited("do")], now).kind).toBe("closed");
    expect(judgeGate(gate, [anna, edited("do"), ben, anna], now)).toEqual({ kind: "open", by: ["ben", "anna"] });
    // How a step is executed is not what was approved.
    expect(judgeGate(gate, [anna, edited("timeout"), ben], now).kind).toBe("open");
    // Said of the plan of before, and kept after the edit.
    expect(judgeGate(gate, [edited("do"), { ...anna, plan: before }, ben], now)).toEqual({
      kind: "closed",
      by: ["ben"],
    });
    expect(judgeGate(gate, [edited("do"), { ...anna, plan: after }, ben], now).kind).toBe("open");
  });

  it("says what it needs", () => {
    expect(describeNeeds(gate)).toBe("2 people of oncall, dba");
    expect(describeNeeds({ kind: "approve", reason: "?" })).toBe("");
    expect(mayApprove({ kind: "approve", reason: "?" }, [])).toBe(true);
    expect(mayApprove(gate, ["sales"])).toBe(false);
  });
});
