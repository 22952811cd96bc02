import { expect, test } from "vitest";
import { type Task, workThrough } from "./work-queue.ts";

const pool = (count: number) => ({ count, open: async () => 0, close: async () => undefined });
const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const recorder = () => {
  const began: string[] = [];
  const running = new Set<string>();
  const together: string[] = [];
  const task = (id: string, changes: Partial<Task<number>> = {}): Task<number> => ({
    id,
    cost: 0,
    run: async () => {
      began.push(id);
      for (const other of running) together.push([other, id].sort().join("+"));
      running.add(id);
      await turn();
      await turn();
      running.delete(id);
    },
    ...changes,
  });
  return { began, together, task };
};

test("the costliest begins first, and nothing before what it needs", async () => {
  const { began, task } = recorder();
  await workThrough(
    [task("small", { cost: 1 }), task("last", { cost: 99, needs: ["big", "small"] }), task("big", { cost: 9 })],
    pool(1),
    never,
  );
  expect(began).toEqual(["big", "small", "last"]);
});

test("an owner is alone with its thing, sharers are not", async () => {
  const { began, together, task } = recorder();
  await workThrough(
    [
      task("index a", { cost: 4, shares: ["t"] }),
      task("index b", { cost: 3, shares: ["t"] }),
      task("key", { cost: 2, owns: ["t"] }),
      task("elsewhere", { cost: 1, owns: ["u"] }),
    ],
    pool(4),
    never,
  );
  expect(began.length).toBe(4);
  expect(together).toContain("index a+index b");
  expect(together.filter((pair) => pair.includes("key") && !pair.includes("elsewhere"))).toEqual([]);
});

test("the first failure stops the others, and is thrown when all have stopped", async () => {
  const { began, task } = recorder();
  const failure = new Error("broken");
  let stopped = false;
  const waits: Task<number> = {
    id: "waits",
    cost: 5,
    run: async () => {
      await turn();
      await turn();
      stopped = true;
    },
  };
  const fails = task("fails", { cost: 4, run: () => Promise.reject(failure) });
  const after = task("after", { needs: ["fails"] });
  await expect(workThrough([waits, fails, after], pool(3), never)).rejects.toBe(failure);
  expect(stopped).toBe(true);
  expect(began).toEqual([]);
});

test("an abort is thrown as it is, and a need that nothing meets is a bug and no hang", async () => {
  const { task } = recorder();
  const reason = new Error("enough");
  await expect(workThrough([task("a")], pool(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  await expect(workThrough([task("a", { needs: ["missing"] })], pool(2), never)).rejects.toThrow(
    /nothing can go on: a/,
  );
});
