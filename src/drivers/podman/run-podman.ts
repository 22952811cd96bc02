/**
 * Runs podman. What changes a container is not ended with Refloat: a podman that is killed while it starts one leaves processes behind
 * that no podman knows any more. So it goes on to its end, and whoever looks next waits for that.
 */
import { join } from "node:path";
import { execa } from "execa";
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runToItsEnd } from "../../platform/outliving-program.ts";
import { findByEnvironment, readPlaces } from "../../platform/process-table.ts";
import { lastLines } from "../../platform/shell-line.ts";
import { programError } from "../../platform/subprocess.ts";
import type { PodmanOptions } from "./podman-options.ts";

export type PodmanContext = DriverContext<PodmanOptions>;

const linesShown = 8;
const lookAgainMs = 20;
/** Creating and starting take a second where the image is there already. */
const actTimeoutMs = 60_000;

const missing = (error: unknown): RefloatError => {
  const known = programError("podman", error);
  return known.code === "program.missing"
    ? new RefloatError("program.missing", known.message, { cause: error, hint: "Debian: apt-get install podman" })
    : known;
};

const failure = (context: PodmanContext, act: string, said: string, exitCode: number | null): RefloatError => {
  // Its log lines come first, and then the one that matters.
  const lines = said.split("\n").filter((line) => !/^time="[^"]*" level=(warning|info|debug)/.test(line));
  return new RefloatError(
    "program.failed",
    `podman ${act} of ${context.component} failed: ${lastLines(lines.join("\n").trim(), linesShown)}`,
    { context: { component: context.component, exitCode } },
  );
};

/** Did podman itself come to its end? Then it has taken away what it could not make whole. */
export const hasEnded = (error: unknown): boolean =>
  error instanceof RefloatError && typeof error.context["exitCode"] === "number";

type Answer = { readonly stdout: string; readonly stderr: string; readonly exitCode: number };

/**
 * What only looks, or may be begun again at any time. It is ended with Refloat.
 * @param accepts exit statuses that are no failure
 * @throws RefloatError program.missing, program.failed
 */
export const askPodman = async (
  context: PodmanContext,
  words: readonly [string, ...string[]],
  accepts: readonly number[] = [0],
): Promise<Answer> => {
  context.signal.throwIfAborted();
  const result = await execa("podman", [...(context.options.options ?? []), ...words], {
    env: { ...baseEnvironment(), REFLOAT_STEP: context.marker },
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    cancelSignal: context.signal,
    maxBuffer: 64 * 1024 * 1024,
  });
  context.signal.throwIfAborted();
  const { exitCode, stdout, stderr } = result;
  if (exitCode === undefined) throw missing(result);
  if (!accepts.includes(exitCode)) throw failure(context, words[0], stderr === "" ? stdout : stderr, exitCode);
  return { stdout, stderr, exitCode };
};

/** Words of podman that change a container. */
const acts = ["create", "start", "stop", "rm"] as const;
type Act = (typeof acts)[number];

/** Marks a podman that acts for this entry, whoever began it. What watches a container gets none of its environment. */
const actor = ({ service, component, stateDirectory }: PodmanContext) => ({
  REFLOAT_INSTANCE: `${service}/${component}/podman`,
  REFLOAT_STATE: stateDirectory,
});

/** Without root podman keeps a process of its own that has its environment, and acts on nothing. */
const findActing = (context: PodmanContext) =>
  findByEnvironment(actor(context)).find(({ pid }) => readPlaces(pid).words.some((word) => acts.includes(word as Act)));

/**
 * What changes a container. An abort waits for its end, and is then thrown.
 * @param environment that podman hands on by name, on no command line
 * @returns what it printed
 */
export const letPodmanAct = async (
  context: PodmanContext,
  words: readonly [Act, ...string[]],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> => {
  context.signal.throwIfAborted();
  const { code, said } = await runToItsEnd({
    program: "podman",
    words: [...(context.options.options ?? []), ...words],
    environment: { ...baseEnvironment(), ...environment, ...actor(context), REFLOAT_STEP: context.marker },
    log: join(context.stateDirectory, `podman-${words[0]}.log`),
  }).catch((error: unknown) => {
    throw missing(error);
  });
  context.signal.throwIfAborted();
  if (code !== 0) throw failure(context, words[0], said, code);
  return said;
};

/** Until no podman acts for this entry any more. @throws RefloatError program.failed when it does not come to its end */
export const waitForActing = async (context: PodmanContext): Promise<void> => {
  const deadline = context.clock.monotonicMs() + actTimeoutMs;
  for (;;) {
    const acting = findActing(context);
    if (acting === undefined) return;
    if (context.clock.monotonicMs() > deadline)
      throw new RefloatError(
        "program.failed",
        `podman, process ${acting.pid}, has been at work on ${context.component} for more than ${actTimeoutMs / 1_000} s`,
        { hint: "look what it waits for, or end it, and try again" },
      );
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};
