import { expect, it } from "vitest";
import { snapshotIdSchema } from "../../../model/identifiers.ts";
import { Damage } from "./damage.ts";

const snapshotOf = (digit: string) => snapshotIdSchema.parse(digit.repeat(64));

it("names every snapshot that is hurt, however many paths the first has", () => {
  const damage = new Damage();
  damage.hurt(damage.add("error", "blob", "b", "is lost"), "b", "data");
  for (const snapshot of ["1", "2", "3"].map(snapshotOf)) {
    for (let file = 0; file < 3000; file += 1) damage.affect("b", "data", { snapshot, path: `/${file}` });
  }
  const [finding] = damage.findings();
  const named = Map.groupBy(finding?.affects ?? [], ({ snapshot }) => snapshot);
  expect([...named.keys()]).toEqual(["1", "2", "3"].map(snapshotOf));
  expect(finding?.affects.length).toBeLessThan(2000);
});
