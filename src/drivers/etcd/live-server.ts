/** The live server: whether it may be switched at all, how it is stopped, and how the one behind the stable name is started. */
import { RefloatError } from "../../model/refloat-error.ts";
import { runDeclaredLine } from "../../platform/folder-server/declared-line.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import type { EtcdContext } from "./etcd-options.ts";
import { findEtcdProcess } from "./etcd-process.ts";
import { describeAddress, resolveTarget } from "./etcd-target.ts";
import { withEtcd } from "./gateway.ts";
import { isReady } from "./instance-server.ts";
import { readMember } from "./server-facts.ts";

const isRunning = async (stable: string): Promise<boolean> => (await findEtcdProcess(stable)) !== null;

/**
 * A member of several is not switched: the others would go on without it, and hold another history.
 * @throws RefloatError cutover.refused with what to do
 */
export const refuseCompany = async (context: EtcdContext, stable: string): Promise<void> => {
  if (!(await isRunning(stable))) return;
  const target = await resolveTarget(context);
  const { members } = await withEtcd({ target, signal: context.signal }, readMember);
  if (members.length <= 1) return;
  throw new RefloatError(
    "cutover.refused",
    `the member in ${stable} is one of ${members.length} (${members.map(({ name }) => name).join(", ")}), which would go on without it`,
    {
      hint: `all members are put back at once, by hand, as a new cluster out of one snapshot: refloat validate --live ${context.service} shows the command of each, docs/etcd.md the order; to look into it before, refloat recover --no-cutover`,
      nextCommand: `refloat validate --live ${context.service}`,
    },
  );
};

/** Stops what runs behind the stable name, and proves it. @throws RefloatError fence.failed */
export const stopLive = async (context: EtcdContext, stable: string): Promise<void> => {
  if (!(await isRunning(stable))) return;
  await runDeclaredLine(context, {
    what: "stop",
    line: context.options.stop,
    isReached: async () => !(await isRunning(stable)),
  });
};

/** A server in a container or on another machine is in no process table here. @throws RefloatError fence.failed */
export const refuseAnswering = async (context: EtcdContext): Promise<void> => {
  const target = await resolveTarget(context);
  try {
    await withEtcd({ target, signal: context.signal }, readMember);
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "source.unreachable") return;
    if (!(error instanceof RefloatError)) throw error;
  }
  throw new RefloatError(
    "fence.failed",
    `a server still answers at ${describeAddress(target)}, which is not seen from here (in a container, or on another machine)`,
    { hint: "stop it there, or let stop: and start: do that, then resume" },
  );
};

const startMs = 60_000;

/** Starts what is behind the stable name, and waits until it takes work. Idempotent. @throws RefloatError target.failed */
export const serveStable = async (context: EtcdContext, stable: string): Promise<void> => {
  if (!(await isRunning(stable)))
    await runDeclaredLine(context, { what: "start", line: context.options.start, isReached: () => isRunning(stable) });
  const target = await resolveTarget(context);
  let isGone = false;
  const isUp = await waitUntil(context, startMs, async () => {
    if (await isReady(context, target)) return true;
    isGone = !(await isRunning(stable));
    return isGone;
  });
  if (isUp && !isGone) return;
  throw new RefloatError(
    "target.failed",
    isGone
      ? `the server in ${stable} has ended while it started`
      : `the server in ${stable} runs, and does not answer at ${describeAddress(target)}`,
    { hint: "what it says stands in its own log" },
  );
};
