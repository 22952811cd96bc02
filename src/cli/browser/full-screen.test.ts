import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { BrowserKey } from "../../core/browser/browser-state.ts";
import { createOutput } from "../output.ts";
import { type TestShell, createTestShell } from "../test-shell.ts";
import { canFillScreen, openFullScreen } from "./full-screen.ts";

const leaving = "\u001B[?7h\u001B[?25h\u001B[?1049l";

const plain = { json: false, color: false, logOnStderr: false };

/** A shell whose standard input remembers whether keys come as they are pressed. */
const terminalShell = (environment: Record<string, string> = { TERM: "xterm" }) => {
  const raw: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => raw.push(on) });
  const shell: TestShell = { ...createTestShell({ terminal: true, environment }), stdin };
  return { shell, stdin, raw };
};

const open = (shell: TestShell, told: string[] = [], keys: BrowserKey[] = []) =>
  openFullScreen(shell, createOutput(shell, plain), {
    key: (key) => keys.push(key),
    resized: () => told.push("resized"),
    gone: () => told.push("gone"),
  });

describe("the whole terminal", () => {
  it("is taken and given back once, whoever says so", () => {
    const { shell, raw } = terminalShell();
    const screen = open(shell);
    expect(raw).toEqual([true]);
    screen.draw(["one", "two"]);
    expect(shell.written.stdout()).toContain("\u001B[Hone\u001B[K\r\ntwo\u001B[K\u001B[J");
    screen.close();
    screen.close();
    shell.end();
    expect(raw).toEqual([true, false]);
    expect(shell.written.stdout().split(leaving)).toHaveLength(2);
    screen.draw(["late"]);
    expect(shell.written.stdout()).not.toContain("late");
  });

  it("is given back when the process ends without a word, and when it cannot be had", () => {
    const ended = terminalShell();
    open(ended.shell);
    ended.shell.end();
    expect(ended.raw).toEqual([true, false]);
    expect(ended.shell.written.stdout().endsWith(leaving)).toBe(true);

    const broken = terminalShell();
    const stdin = Object.assign(new PassThrough(), {
      setRawMode: (on: boolean) => {
        if (on) throw new Error("no terminal");
      },
    });
    expect(() => open({ ...broken.shell, stdin })).toThrow("no terminal");
    expect(broken.shell.written.stdout().endsWith(leaving)).toBe(true);
  });

  it("reads keys by their names and letters by what they write", async () => {
    const { shell, stdin } = terminalShell();
    const [told, keys]: [string[], BrowserKey[]] = [[], []];
    const screen = open(shell, told, keys);
    stdin.write("jG/é\u001B[A\u001B[5~\r\u007F\u0003");
    stdin.end();
    await new Promise((resolve) => stdin.on("end", resolve));
    expect(keys).toEqual([
      { name: "j", text: "j" },
      { name: "g", text: "G" },
      { name: "", text: "/" },
      { name: "", text: "é" },
      { name: "up", text: "" },
      { name: "pageup", text: "" },
      { name: "return", text: "" },
      { name: "backspace", text: "" },
      { name: "ctrl-c", text: "" },
    ]);
    expect(told).toEqual(["gone"]);
    shell.stdout.emit("resize");
    expect(told).toEqual(["gone", "resized"]);
    screen.close();
    shell.stdout.emit("resize");
    expect(told).toHaveLength(2);
    // A terminal that is gone has more to say when it is given back.
    stdin.emit("error", new Error("EIO"));
  });

  it("is only for a terminal that knows more than lines, and that nothing else writes to", () => {
    const can = (environment: Record<string, string>, options: Partial<typeof plain> = {}) => {
      const { shell } = terminalShell(environment);
      return canFillScreen(shell, createOutput(shell, { ...plain, ...options }));
    };
    expect(can({ TERM: "xterm-256color" })).toBe(true);
    expect(can({ TERM: "dumb" })).toBe(false);
    expect(can({})).toBe(false);
    expect(can({ TERM: "xterm" }, { json: true })).toBe(false);
    expect(can({ TERM: "xterm" }, { logOnStderr: true })).toBe(false);
    const piped = createTestShell({ environment: { TERM: "xterm" } });
    expect(canFillScreen(piped, createOutput(piped, plain))).toBe(false);
  });
});
