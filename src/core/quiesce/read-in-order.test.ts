import { expect, it } from "vitest";
import { readInOrder } from "./read-in-order.ts";

type Part = {
  readonly pinned: () => void;
  readonly finish: (value: string) => void;
  readonly fail: (error: Error) => void;
  readonly signal: AbortSignal;
};

const setTheStage = (overlap: boolean, names = ["db", "docs"]) => {
  const parts = new Map<string, Part>();
  const told: string[] = [];
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const result = readInOrder(
    names,
    (name, pinned, signal) => {
      told.push(name);
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      parts.set(name, { pinned, finish: resolve, fail: reject, signal });
      return promise;
    },
    { overlap, signal: new AbortController().signal, onSteady: async () => void told.push("steady") },
  );
  result.catch(() => undefined);
  return { parts, told, turn, result, part: (name: string) => parts.get(name) ?? expect.fail(`${name} is not read`) };
};

it("goes on to the next one as soon as a view is fixed, and is steady before all is read", async () => {
  const { told, turn, part, result } = setTheStage(true);
  await turn();
  expect(told).toEqual(["db"]);
  part("db").pinned();
  await turn();
  expect(told).toEqual(["db", "docs"]);
  part("docs").finish("files");
  await turn();
  expect(told).toEqual(["db", "docs", "steady"]);
  part("db").finish("rows");
  expect(await result).toEqual(["rows", "files"]);
});

it("reads one after another where they may not overlap, whatever is fixed", async () => {
  const { told, turn, part, result } = setTheStage(false);
  part("db").pinned();
  await turn();
  expect(told).toEqual(["db"]);
  part("db").finish("rows");
  await turn();
  part("docs").finish("files");
  expect(await result).toEqual(["rows", "files"]);
  expect(told).toEqual(["db", "docs", "steady"]);
});

it("ends the others when one fails, says what failed first, and is never steady", async () => {
  const { told, turn, part, result } = setTheStage(true, ["db", "docs", "app"]);
  part("db").pinned();
  await turn();
  part("db").fail(new Error("the server went away"));
  await expect(result).rejects.toThrow("the server went away");
  expect(part("docs").signal.aborted).toBe(true);
  expect(told).toEqual(["db", "docs"]);
});
