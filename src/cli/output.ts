/**
 * What a command says and where: the result on standard output, everything on the way on standard error. With `--json`, standard
 * output carries only JSON: events as lines, the answer last. Owns the live frame at the bottom of a terminal, so that a note never
 * tears it.
 */
import { createLogUpdate } from "log-update";
import type { Screen } from "../render/screen.ts";
import { createPaint } from "./paint.ts";
import type { Shell, TerminalWritable } from "./shell.ts";

export type Output = {
  readonly json: boolean;
  /** A command as it has to be typed here. */
  readonly asTyped: (line: string) => string;
  /** How to draw what goes to standard output. */
  readonly screen: (timeZone: string) => Screen;
  /** How to draw what goes to standard error. */
  readonly errorScreen: (timeZone: string) => Screen;
  /** Frames can be drawn: standard error is a terminal that nothing else writes to. */
  readonly live: boolean;
  /** A part of the answer before its end, such as the plan before the question. Nothing with `--json`. */
  readonly say: (text: string) => void;
  /** For the person beside the result; above the frame. */
  readonly note: (text: string) => void;
  /** One JSON line; nothing without `--json`. */
  readonly event: (envelope: object) => void;
  /** The answer for people; nothing with `--json`. */
  readonly answer: (text: string) => void;
  /** Content as it is, to standard output, as fast as its reader takes it. Ends early when the reader is gone. */
  readonly bytes: (content: AsyncIterable<Uint8Array>) => Promise<void>;
  /** Replaces the frame; null removes it. Nothing where frames cannot be drawn. */
  readonly frame: (text: string | null) => void;
  /** Gives the terminal to a question until the returned function is called. */
  readonly yieldTerminal: () => () => void;
  /** Resolves when the reader has taken what was written to standard output; with false once nobody reads any more. */
  readonly drained: () => Promise<boolean>;
  /** Resolves when all was handed to the system; with the error that kept the answer from its reader. A closed pipe is none. */
  readonly flush: () => Promise<Error | null>;
};

export type OutputOptions = {
  readonly json: boolean;
  readonly color: boolean;
  readonly logOnStderr: boolean;
  /** What makes of a command the one that does the same when it is typed next. */
  readonly asTyped?: (line: string) => string;
};

const widthWithoutTerminal = 100;

/** Asked each time: a window is made wider while a restore runs. A terminal that does not know its size says 0. */
export const widthOf = ({ columns = 0 }: TerminalWritable): number => (columns > 0 ? columns : widthWithoutTerminal);

/** A locale that names another character set; where none is set, terminals of today show UTF-8. */
const isAscii = ({ LC_ALL, LC_CTYPE, LANG }: Shell["environment"]): boolean => {
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== "");
  return locale !== undefined && !/utf-?8/i.test(locale);
};

const asItStands = (line: string): string => line;

const screenOf =
  (
    stream: TerminalWritable,
    { color, ascii = false, asTyped = asItStands }: Pick<Screen, "ascii" | "asTyped"> & { readonly color: boolean },
  ) =>
  (timeZone: string): Screen => ({
    paint: createPaint(color),
    width: widthOf(stream),
    timeZone,
    ascii,
    asTyped,
  });

export const createOutput = (
  shell: Shell,
  { json, color, logOnStderr, asTyped = asItStands }: OutputOptions,
): Output => {
  const out = watchWrites(shell.stdout);
  const err = watchWrites(shell.stderr);
  const ascii = isAscii(shell.environment);
  const live = shell.isTerminal.stderr && !json && !logOnStderr;
  const drawn = live ? createLogUpdate(shell.stderr, { showCursor: true }) : null;
  let frame: string | null = null;
  let yielded = false;

  const redraw = (): void => {
    if (drawn === null || yielded) return;
    if (frame === null) drawn.clear();
    else drawn(frame);
  };

  const above = (write: () => void): void => {
    if (frame !== null && !yielded) drawn?.clear();
    write();
    if (frame !== null) redraw();
  };

  return {
    json,
    asTyped,
    screen: screenOf(shell.stdout, { color: color && shell.isTerminal.stdout, ascii, asTyped }),
    errorScreen: screenOf(shell.stderr, { color: color && shell.isTerminal.stderr, ascii, asTyped }),
    live,
    say: (text) => {
      if (!json) above(() => out.write(`${text}\n`));
    },
    note: (text) => {
      if (text !== "") above(() => err.write(`${text}\n`));
    },
    event: (envelope) => {
      if (json) out.write(`${JSON.stringify(envelope)}\n`);
    },
    answer: (text) => {
      if (!json) above(() => out.write(text === "" ? "" : `${text}\n`));
    },
    frame: (text) => {
      frame = text;
      redraw();
    },
    yieldTerminal: () => {
      // The last picture stays above the question: it is what the answer is about.
      if (frame !== null) drawn?.done();
      yielded = true;
      return () => {
        yielded = false;
        redraw();
      };
    },
    bytes: async (content) => {
      for await (const part of content) {
        out.write(part);
        if (!(await out.drained())) return;
      }
    },
    drained: out.drained,
    flush: async () => {
      drawn?.done();
      await err.flush();
      return out.flush();
    },
  };
};

type WatchedWrites = {
  readonly write: (text: string | Uint8Array) => void;
  readonly drained: () => Promise<boolean>;
  readonly flush: () => Promise<Error | null>;
};

/** A reader that went away (`| head`, a closed terminal) must not end a recovery; any other failure to write is told at the end. */
const watchWrites = (stream: TerminalWritable): WatchedWrites => {
  let failure: NodeJS.ErrnoException | null = null;
  let lastWrite = Promise.resolve();
  // A stream that failed may never call back for what was written after the failure: this is waited for beside the last write.
  const failed = new Promise<void>((resolve) => {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      failure ??= error;
      resolve();
    });
  });
  const gone = (): boolean => failure !== null || stream.destroyed || stream.writableEnded;
  return {
    write: (text) => {
      if (gone() || text.length === 0) return;
      lastWrite = new Promise((resolve) => {
        stream.write(text, () => resolve());
      });
    },
    drained: async () => {
      if (!gone()) await Promise.race([lastWrite, failed]);
      return !gone();
    },
    flush: async () => {
      if (!gone()) await Promise.race([lastWrite, failed]);
      return failure === null || ["EPIPE", "EIO"].includes(failure.code ?? "") ? null : failure;
    },
  };
};
