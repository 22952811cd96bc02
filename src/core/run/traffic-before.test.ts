import { describe, expect, it } from "vitest";
import { shop } from "../../../test/fixtures/shop.ts";
import type { RunRecord } from "../../model/run.ts";
import { withTrafficBefore } from "./traffic-before.ts";

const runThatHeld = (addresses: readonly (string | null)[]): RunRecord =>
  ({ steps: [{ id: "hold", intent: { entries: addresses.map((address) => ({ kind: "dns", address })) } }] }) as never;

const entry = (to: string | undefined) => ({
  kind: "dns",
  options: { dns: "shop.example.com", ...(to === undefined ? {} : { to }) },
  ...(to === undefined ? {} : { to }),
});

const addressesFor = (to: string | undefined, seen: readonly (string | null)[]) =>
  withTrafficBefore(runThatHeld(seen), { ...shop, cutover: [entry(to)] }).cutover.map((one) => [
    one.to,
    one.options["to"],
  ]);

describe("the declaration for an undo", () => {
  it("sends traffic back to where it went, where an address is written out", () => {
    expect(addressesFor("192.0.2.2", ["192.0.2.1"])).toEqual([["192.0.2.1", "192.0.2.1"]]);
  });

  it.each([
    ["a reference, which names the old side again", "${app.address}", ["192.0.2.1"]],
    ["no address, since the driver remembers its own", undefined, ["192.0.2.1"]],
    ["an address where nothing was seen before", "192.0.2.2", [null]],
    ["an address where the run has not held traffic", "192.0.2.2", []],
  ])("keeps %s", (_, to, seen) => {
    expect(addressesFor(to, seen)).toEqual([[to, to]]);
  });
});
