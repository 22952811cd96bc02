import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { StepHandler } from "../core/ports/engine.ts";
import { formatDuration } from "../core/time/duration.ts";
import { createStepHandlers } from "./step-handlers.ts";
import type { StepParts } from "./step-bench.ts";

/** Limits are known without any of the parts. */
const handlers = createStepHandlers({} as StepParts);

describe("docs/steps.md", () => {
  it("tells the limits that hold where nothing is declared, of each kind that does something", async () => {
    const page = await readFile(join(import.meta.dirname, "../../docs/steps.md"), "utf8");
    const [, table = ""] = /told of silence after \|\n[|-]+\n((?:\|.*\n)+)/.exec(page) ?? [];
    const told = table.split("\n").flatMap((row) => {
      const [kinds = "", timeout, retries, quiet] = row
        .split("|")
        .slice(1)
        .map((cell) => cell.trim());
      return [...kinds.matchAll(/`([a-z-]+)`/g)].map(([, kind]) => `${kind} ${timeout} ${retries} ${quiet}`);
    });
    const { wait: _waits, ...acting } = handlers;
    const real = Object.entries(acting).map(([kind, handler]) => {
      const { timeoutMs, retries, quietMs } = handler as unknown as StepHandler;
      return `${kind} ${hours(timeoutMs)} ${retries} ${quietMs === undefined ? "" : hours(quietMs)}`;
    });
    expect(told.toSorted()).toEqual(real.toSorted());
  });
});

/** A day is 24h in the page. */
const hours = (ms: number): string => (ms === 24 * 3_600_000 ? "24h" : formatDuration(ms));
