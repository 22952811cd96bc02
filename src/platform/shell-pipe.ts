/**
 * Runs a declared command line whose standard output, or standard input, is data. Its output is whole only if the line ended
 * with exit status 0 *and* nobody holds the pipe open any more; its input is taken only if it read all of it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ByteStream } from "../core/ports/bytes.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { drained } from "./drained.ts";
import {
  type ShellLineOptions,
  describeEnd,
  hintOfEnd,
  drainMs,
  keepEnd,
  lastLines,
  redact,
  startShell,
} from "./shell-line.ts";

/** Seconds in which nothing comes of a pipe whose line has ended: what it left in the background will not close it. */
const heldOpenSeconds = 10;

export type ShellPipe = {
  /** Standard output, with back-pressure. Whoever stops reading ends the line. */
  readonly bytes: ByteStream;
  /** Feeds standard input and closes it; if `source` throws, the line is killed before it could take the end for the end. */
  readonly feed: (source: ByteStream) => Promise<void>;
  /**
   * Once the line has ended.
   * @throws RefloatError program.failed unless it ended well and has read all that it was fed; the signal's reason when aborted
   */
  readonly seal: () => Promise<void>;
  /** Ends it if it still runs. */
  readonly close: () => void;
};

export type ShellPipeOptions = ShellLineOptions & {
  /** For errors: `capture of search`. */
  readonly what: string;
  /** It has a standard input, which is fed; nothing otherwise. */
  readonly isFed?: boolean;
};

export const openShellPipe = (line: string, options: ShellPipeOptions): ShellPipe => {
  const { signal, what } = options;
  signal.throwIfAborted();
  const stdin = options.isFed === true ? "data" : "nothing";
  const group = startShell(line, options, stdin);
  const { data: input, stdout, exited, closed, hasTimedOut, kill } = group;
  let said = "";
  group.stderr.setEncoding("utf8").on("data", (text: string) => (said = keepEnd(said, text)));
  // Node lets flow, into nothing, what nobody has asked for when a child ends: so somebody asks from the first.
  if (input === null) stdout.on("readable", () => undefined);
  // EPIPE while it is fed, or ECONNRESET afterwards: the kernel's word that the line has let go of it with something left unread.
  let inputError: unknown;
  input?.on("error", (error) => (inputError = error));

  const failed = (why: string, hint: { readonly hint?: string } = {}): RefloatError => {
    const last = lastLines(redact(said, options.secrets ?? []), 5);
    return new RefloatError("program.failed", `the ${what} failed: ${why}${last === "" ? "" : `: ${last}`}`, hint);
  };

  async function* read(): ByteStream {
    let isWaiting = false;
    let idleSeconds = 0;
    let watch: NodeJS.Timeout | undefined;
    let isRead = false;
    // It may have ended before anybody reads. What kept it from being started is told by the seal.
    const watched = exited.then(() => {
      if (isRead) return;
      watch = setInterval(() => {
        idleSeconds = isWaiting ? idleSeconds + 1 : 0;
        if (idleSeconds < heldOpenSeconds) return;
        stdout.destroy(failed("it left something in the background that holds its output open"));
      }, 1_000);
    });
    watched.catch(() => undefined);
    const chunks = stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      for (;;) {
        isWaiting = true;
        const next = await chunks.next();
        isWaiting = false;
        idleSeconds = 0;
        signal.throwIfAborted();
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      kill();
      signal.throwIfAborted();
      throw error;
    } finally {
      isRead = true;
      clearInterval(watch);
      if (!stdout.readableEnded) kill();
    }
  }

  return {
    bytes: read(),
    feed: async (source) => {
      if (input === null) throw new RefloatError("bug", `the ${what} is fed and has no standard input`);
      stdout.setEncoding("utf8").on("data", (text: string) => (said = keepEnd(said, text)));
      input.resume();
      try {
        for await (const chunk of source) {
          signal.throwIfAborted();
          if (input.destroyed) return;
          if (!input.write(chunk)) await drained(input);
        }
      } catch (error) {
        kill();
        signal.throwIfAborted();
        throw error;
      }
      input.end();
    },
    seal: async () => {
      const [exitCode, endedBy] = await exited;
      // The last words may still be on their way.
      await Promise.race([closed, delay(drainMs, undefined, { ref: false })]);
      signal.throwIfAborted();
      const ended = { exitCode, endedBy, timedOut: hasTimedOut() };
      const end = describeEnd(ended);
      if (end !== null) throw failed(end, hintOfEnd(ended));
      if (inputError !== undefined) throw failed("it ended well without reading all of the data");
    },
    close: group.release,
  };
};
