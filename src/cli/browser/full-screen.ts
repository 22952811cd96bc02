/**
 * The whole terminal for one picture that answers to keys: a screen of its own, beside the one that scrolls, and keys as they are pressed. Gives
 * the terminal back as it was on every way out that a process can see: `close`, the end of the process, an error that nobody caught.
 */
import { emitKeypressEvents, type Interface } from "node:readline";
import type { BrowserKey } from "../../core/browser/browser-state.ts";
import type { TerminalSize } from "../../render/browser-view.ts";
import type { Output } from "../output.ts";
import type { Shell } from "../shell.ts";

/** Of xterm, as every terminal of this century knows them: its second screen, no cursor, and no line that runs over into the next. */
const enter = "\u001B[?1049h\u001B[?25l\u001B[?7l";
const leave = "\u001B[?7h\u001B[?25h\u001B[?1049l";
const home = "\u001B[H";
const restOfLine = "\u001B[K";
const restOfScreen = "\u001B[J";

/** An Escape that no further byte follows for so long is the key itself. */
const escapeMs = 100;

export type FullScreenListener = {
  readonly key: (key: BrowserKey) => void;
  readonly resized: () => void;
  /** The terminal is gone. */
  readonly gone: () => void;
};

export type FullScreen = {
  readonly size: () => TerminalSize;
  readonly draw: (lines: readonly string[]) => void;
  /** Idempotent. */
  readonly close: () => void;
};

/** Is there a terminal for it on both sides, that understands more than lines, and that no log writes to? */
export const canFillScreen = ({ isTerminal, environment }: Shell, { live, json }: Output): boolean =>
  isTerminal.stdin && isTerminal.stdout && live && !json && !["", "dumb"].includes(environment["TERM"] ?? "");

type KeyEvent = { readonly name?: string; readonly ctrl?: boolean; readonly meta?: boolean };

const readKey = (text: string | undefined, { name = "", ctrl = false, meta = false }: KeyEvent): BrowserKey => ({
  name: meta && name !== "escape" ? "" : ctrl ? `ctrl-${name}` : name,
  text: ctrl || meta || text === undefined || /\p{Cc}/u.test(text) ? "" : text,
});

type KeySource = Shell["stdin"] & { readonly setRawMode?: (on: boolean) => void };

export const openFullScreen = (shell: Shell, output: Output, listener: FullScreenListener): FullScreen => {
  const { stdout } = shell;
  const stdin: KeySource = shell.stdin;
  const giveBack = output.yieldTerminal();
  const onKey = (text: string | undefined, key: KeyEvent): void => listener.key(readKey(text, key));
  let closed = false;

  const close = (): void => {
    if (closed) return;
    closed = true;
    stopListening();
    stdin.off("keypress", onKey);
    stdin.off("end", listener.gone);
    stdout.off("resize", listener.resized);
    stdin.setRawMode?.(false);
    stdin.pause();
    stdout.write(leave);
    giveBack();
  };
  const stopListening = shell.onExit(close);

  // Stays when all others go: giving back a terminal that is gone is one more error of it.
  stdin.on("error", listener.gone);
  try {
    emitKeypressEvents(stdin, { escapeCodeTimeout: escapeMs } as unknown as Interface);
    stdin.setRawMode?.(true);
    stdin.on("keypress", onKey);
    stdin.on("end", listener.gone);
    stdout.on("resize", listener.resized);
    stdin.resume();
    stdout.write(enter);
  } catch (error) {
    close();
    throw error;
  }
  return {
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    draw: (lines) => {
      if (!closed) stdout.write(`${home}${lines.map((line) => line + restOfLine).join("\r\n")}${restOfScreen}`);
    },
    close,
  };
};
