/** A server that lives no longer than we do: our own child, told by the kernel to end when we do, however that comes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Owner, asOwner } from "./folder-owner.ts";

export type ChildServer = {
  readonly hasEnded: () => boolean;
  /** The last lines that it said. */
  readonly lastWords: () => string;
  /** @throws what `heard` threw; RefloatError program.failed when it could not be run */
  readonly requireSound: () => void;
  /** At once; nothing of it runs when this resolves. Idempotent; never throws. */
  readonly stop: () => Promise<void>;
  /** Stops it and listens to its last word. @throws as `requireSound` */
  readonly end: () => Promise<void>;
};

type Ending = "SIGQUIT" | "SIGKILL";

const patienceMs = 10_000;
const linesKept = 8;

/**
 * Ends with its parent: asked after it is arranged, so that no moment is left in which nobody would tell it. The order matters too: a change of the user
 * would forget what was arranged.
 */
const whileWeLive = `[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"`;

/** Words that run a program which ends when we do. To stand behind those that change the user. */
export const endingWithUs = (ending: Ending, words: readonly string[]): readonly string[] => [
  "setpriv",
  "--pdeathsig",
  ending.slice("SIG".length),
  "--",
  "/bin/sh",
  "-c",
  whileWeLive,
  "sh",
  String(process.pid),
  ...words,
];

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/**
 * @param ending the signal that ends it at once
 * @param heard is given each line that it says to standard error; what it throws ends the server
 */
export const startChildServer = async (
  context: Pick<DriverContext, "service" | "component" | "signal" | "marker">,
  owner: Owner,
  {
    words,
    ending,
    heard = () => undefined,
  }: { readonly words: readonly string[]; readonly ending: Ending; readonly heard?: (line: string) => void },
): Promise<ChildServer> => {
  const { prefix, environment } = await asOwner(context, owner, "ours");
  const [program = "", ...args] = [...prefix, ...endingWithUs(ending, words)];
  context.signal.throwIfAborted();
  const child = spawn(program, args, { cwd: "/", env: { ...environment }, stdio: ["ignore", "ignore", "pipe"] });
  let unsound: { readonly reason: unknown } | null = null;
  child.once("error", (cause) => {
    unsound ??= { reason: new RefloatError("program.failed", `${program} could not be started`, { cause }) };
  });
  const said: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    said.push(line);
    if (said.length > linesKept) said.shift();
    try {
      heard(line);
    } catch (reason) {
      unsound ??= { reason };
      child.kill(ending);
    }
  });
  const stop = async (): Promise<void> => {
    if (child.pid === undefined || hasEnded(child)) return;
    const ended = once(child, "exit");
    child.kill(ending);
    const force = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    await ended;
    clearTimeout(force);
  };
  const spoken = once(child.stderr, "close");
  const requireSound = (): void => {
    if (unsound !== null) throw unsound.reason;
  };
  return {
    hasEnded: () => hasEnded(child),
    lastWords: () => said.join("\n"),
    requireSound,
    stop,
    end: async () => {
      await stop();
      await spoken;
      requireSound();
    },
  };
};
