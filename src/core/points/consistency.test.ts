import { expect, it } from "vitest";
import { outcome, shopPoint } from "../../../test/fixtures/shop.ts";
import { observedConsistency } from "./consistency.ts";

const at = "2026-11-22T14:00:00.000Z";
const { manifest } = shopPoint({ id: "a1", at });
const members = Object.values(manifest.components);
const held = { kind: "quiesced", frozen: { fromAt: at, toAt: at, heldMs: 840 } } as const;
const [linked, passed] = [["db", "uploads"], [outcome("invariant invoices-exist", "passed")]];

const told = (facts: Partial<Parameters<typeof observedConsistency>[1]>, of = members) =>
  observedConsistency(of, {
    graph: manifest.graph,
    stillness: held,
    data: linked,
    invariants: passed,
    beganAt: at,
    ...facts,
  }).consistency;

it("proves a service that stood still by the invariants that were asked meanwhile, where they join all data", () => {
  expect(told({})).toMatchObject({ mode: "quiesced", proven: true, frozen: { heldMs: 840 } });
  expect(told({ data: [...linked, "proxy"] })).toMatchObject({ mode: "quiesced", proven: false });
  expect(told({ invariants: [outcome("invariant invoices-exist", "failed")] })).toMatchObject({ proven: false });
  expect(told({ invariants: [outcome("invariant invoices-exist", "skipped")] })).toMatchObject({ proven: false });
  expect(told({ graph: { ...manifest.graph, edges: [] }, invariants: [] })).toMatchObject({ proven: false });
});

it("calls nothing quiesced that did not stand still to the end, and says why", () => {
  const missed = told({ stillness: { kind: "missed", why: "it was too long" } });
  expect(missed).toMatchObject({ mode: "ordered", proven: false, unquiesced: "it was too long" });
  expect(missed.frozen).toBeUndefined();
  expect(told({ stillness: { kind: "none" } })).not.toHaveProperty("unquiesced");
});

it("of one component it is what its driver vouches for", () => {
  const of = members.filter(({ name }) => name === "db");
  expect(told({ stillness: { kind: "none" }, data: ["db"] }, of)).toMatchObject({ mode: "single", proven: true });
  expect(told({ data: ["db"], invariants: [] }, of)).toMatchObject({ mode: "quiesced", proven: true });
});
