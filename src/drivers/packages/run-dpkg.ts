/**
 * Runs the dpkg that changes a system. It is not ended with Refloat, since a dpkg that is killed leaves packages half unpacked; whoever
 * looks next waits for its end.
 */
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { runToItsEnd } from "../../platform/outliving-program.ts";
import { dpkgEnvironment } from "../../platform/packages/package-database.ts";
import { findByEnvironment } from "../../platform/process-table.ts";
import { lastLines } from "../../platform/shell-line.ts";
import { programError } from "../../platform/subprocess.ts";
import { type PackagesContext, rootOf } from "./packages-options.ts";

const lookAgainMs = 100;
/** The scripts of a package may take their time. */
const actTimeoutMs = 30 * 60_000;
/** How long is waited for who else holds dpkg's lock, such as the updates of the night. */
const lockTimeoutMs = 120_000;
const linesShown = 8;

const actor = ({ service, component, stateDirectory }: PackagesContext) => ({
  REFLOAT_INSTANCE: `${service}/${component}/packages`,
  REFLOAT_STATE: stateDirectory,
});

/** Until no dpkg works for this entry any more. @throws RefloatError program.failed when it does not come to its end */
export const waitForDpkg = async (context: PackagesContext): Promise<void> => {
  const deadline = context.clock.monotonicMs() + actTimeoutMs;
  for (;;) {
    const [acting] = findByEnvironment(actor(context));
    if (acting === undefined) return;
    if (context.clock.monotonicMs() > deadline)
      throw new RefloatError(
        "program.failed",
        `dpkg, process ${acting.pid}, has been at work on ${context.component} for more than ${actTimeoutMs / 60_000} minutes`,
        { hint: "look what it waits for, or end it, and try again" },
      );
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/** Nobody can be asked, and what somebody has configured there stays. */
const commonWords = ["--force-confdef", "--force-confold"];

/**
 * @throws RefloatError program.failed with the last lines that it said; the signal's reason after its end
 */
export const letDpkgAct = async (context: PackagesContext, words: readonly string[]): Promise<void> => {
  const root = rootOf(context);
  const of = root === "/" ? [] : [`--root=${root}`, `--log=${join(root, "var/log/dpkg.log")}`];
  const deadline = context.clock.monotonicMs() + lockTimeoutMs;
  for (;;) {
    context.signal.throwIfAborted();
    const { code, said } = await runToItsEnd({
      program: "dpkg",
      words: [...of, ...commonWords, ...words],
      environment: {
        ...dpkgEnvironment(),
        DEBIAN_FRONTEND: "noninteractive",
        ...actor(context),
        REFLOAT_STEP: context.marker,
      },
      log: join(context.stateDirectory, "dpkg.log"),
    }).catch((error: unknown) => {
      throw programError("dpkg", error);
    });
    context.signal.throwIfAborted();
    if (code === 0) return;
    // Nothing was done: somebody else is at work on the packages.
    if (
      /lock/.test(said) &&
      /was already locked|locked by another process/.test(said) &&
      context.clock.monotonicMs() < deadline
    ) {
      await context.clock.sleep(10 * lookAgainMs, context.signal);
      continue;
    }
    throw new RefloatError(
      "program.failed",
      `dpkg failed on ${context.component}: ${lastLines(said.trim(), linesShown)}`,
      {
        context: { component: context.component, exitCode: code },
      },
    );
  }
};
