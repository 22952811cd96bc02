import { describe, expect, it } from "vitest";
import { listenForInterrupts } from "./interruption.ts";
import { createTestShell } from "./test-shell.ts";

/** By a clock that is moved. */
const listening = () => {
  const shell = createTestShell();
  const notes: string[] = [];
  let nowMs = 1000;
  const interruption = listenForInterrupts(shell, {
    note: (text) => notes.push(text),
    killedExit: 7,
    clock: { monotonicMs: () => nowMs },
  });
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { shell, notes, interruption, pass };
};

describe("signals", () => {
  it("that come together are one", () => {
    const { shell, notes, interruption, pass } = listening();
    shell.send("SIGTERM");
    shell.send("SIGTERM");
    pass(499);
    shell.send("SIGINT");
    expect(interruption.received()).toBe("SIGTERM");
    expect(interruption.signal.aborted).toBe(true);
    expect(notes).toEqual([expect.stringMatching(/^stopping in order/)]);
    expect(shell.exits).toEqual([]);
  });

  it("kill the second time", () => {
    const { shell, notes, pass } = listening();
    shell.send("SIGINT");
    pass(500);
    shell.send("SIGINT");
    expect(notes[1]).toMatch(/^killed by a second SIGINT/);
    expect(shell.exits).toEqual([7]);
  });
});
