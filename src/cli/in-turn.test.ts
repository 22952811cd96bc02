import { expect, it } from "vitest";
import { inTurn } from "./in-turn.ts";

it("begins no act before the one that was asked for earlier has ended, well or badly", async () => {
  const takeTurn = inTurn();
  const seen: string[] = [];
  const { promise: answered, reject } = Promise.withResolvers<string>();
  const first = takeTurn(() => {
    seen.push("first");
    return answered;
  });
  const second = takeTurn(async () => void seen.push("second"));
  await Promise.resolve();
  expect(seen).toEqual(["first"]);
  reject(new Error("left"));
  await expect(first).rejects.toThrow("left");
  await second;
  expect(seen).toEqual(["first", "second"]);
});
