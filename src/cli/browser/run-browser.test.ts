import { describe, expect, it, vi } from "vitest";
import { files, testFolder } from "../../core/browser/test-level.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { createOutput } from "../output.ts";
import { createTestShell } from "../test-shell.ts";
import { type BrowserWorld, runBrowser } from "./run-browser.ts";

const leaving = "\u001B[?1049l";

const nothing = async (): Promise<never> => {
  throw new Error("the test asks for nothing of the kind");
};

const start = (world: Partial<BrowserWorld>) => {
  const shell = createTestShell({ terminal: true, environment: { TERM: "xterm" } });
  const output = createOutput(shell, { json: false, color: false, logOnStderr: false });
  const stop = new AbortController();
  const whole = { open: nothing, rise: nothing, versions: nothing, extract: nothing, ...world };
  const level = testFolder(files("a", "b", "c"));
  const ended = runBrowser(whole, level, { shell, output, signal: stop.signal }, "UTC");
  // It is awaited in its turn.
  ended.catch(() => undefined);
  const picture = (): string => shell.written.stdout().split("\u001B[H").at(-1) ?? "";
  return {
    shell,
    stop,
    ended,
    press: async (keys: string, wanted: RegExp) => {
      shell.type(keys);
      await vi.waitFor(() => expect(picture()).toMatch(wanted), { timeout: 60_000 });
    },
    isLeft: () => shell.written.stdout().endsWith(leaving),
  };
};

/** Goes on until it is told to stop, and then tidies up. */
const endless = () => {
  const seen = { tidied: false };
  const extract: BrowserWorld["extract"] = (_effect, signal, progress) =>
    new Promise((_resolve, reject) => {
      progress("extracting a: 1 file");
      signal.addEventListener("abort", () => {
        seen.tidied = true;
        reject(signal.reason as Error);
      });
    });
  return { seen, extract };
};

describe("looking into a point", () => {
  it("shows what failed and goes on", async () => {
    const open = async (): Promise<never> => {
      throw new RefloatError("vault.damaged", "pack 3f is gone", { hint: "refloat verify" });
    };
    const browser = start({ open });
    await browser.press("j\r", /vault\.damaged: pack 3f is gone; refloat verify/);
    await browser.press("j", /> .*c/);
    browser.shell.type("q");
    await browser.ended;
    expect(browser.isLeft()).toBe(true);
  });

  it("gives the terminal back before it falls over", async () => {
    const browser = start({});
    browser.shell.type("\r");
    await expect(browser.ended).rejects.toThrow("the test asks for nothing of the kind");
    expect(browser.isLeft()).toBe(true);
  });

  it("stops what goes on when asked to, and waits for it when left or told to stop", async () => {
    const stopped = endless();
    const browser = start(stopped);
    await browser.press("x\r", /extracting a: 1 file/);
    await browser.press("\u001B", /stopped/);
    expect(stopped.seen.tidied).toBe(true);
    stopped.seen.tidied = false;
    await browser.press("x\r", /extracting a: 1 file/);
    browser.shell.type("q");
    await browser.ended;
    expect(stopped.seen.tidied).toBe(true);

    const told = endless();
    const another = start(told);
    await another.press("x\r", /extracting a: 1 file/);
    another.stop.abort(new RefloatError("interrupted", "told to stop by SIGTERM"));
    expect(another.isLeft()).toBe(true);
    await expect(another.ended).rejects.toThrow("told to stop by SIGTERM");
    expect(told.seen.tidied).toBe(true);
  });

  it("ends with the terminal", async () => {
    const browser = start({});
    browser.shell.stdin.emit("end");
    await browser.ended;
    expect(browser.isLeft()).toBe(true);
  });
});
