/**
 * Machines on one network segment, for tests: network name spaces that are joined by a bridge in one of their own. Nothing of it is in the
 * name space of this machine, and all of it goes with the processes that hold it. Needs root.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { readlinkSync } from "node:fs";
import { runProgram } from "../platform/subprocess.ts";

export type SegmentMachine = {
  /** Words that run what follows them there. */
  readonly enter: string;
  /** Runs a line of the shell there. */
  readonly run: (line: string) => Promise<string>;
  /** Ends it as a power failure does. Idempotent. */
  readonly cut: () => Promise<void>;
};

const netOf = (pid: number | undefined): string => readlinkSync(`/proc/${pid ?? 0}/ns/net`);

const startMachine = async (): Promise<SegmentMachine & { readonly child: ChildProcess }> => {
  const child = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  const exited = once(child, "exit");
  await once(child, "spawn");
  while (netOf(child.pid) === netOf(process.pid)) await delay(5);
  const enter = `nsenter -t ${child.pid ?? 0} -n`;
  const run = async (line: string): Promise<string> =>
    (await runProgram("sh", ["-ec", `exec ${enter} sh -ec '${line}'`], { signal: AbortSignal.timeout(60_000) })).stdout;
  const cut = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return { enter, run, cut, child };
};

/**
 * @param names of the machines: the first gets 10.9.0.1/24 on its eth0, and so on
 */
export const startSegment = async <Name extends string>(
  names: readonly Name[],
): Promise<{ readonly machines: Readonly<Record<Name, SegmentMachine>>; readonly stop: () => Promise<void> }> => {
  const bridge = await startMachine();
  const machines = {} as Record<Name, SegmentMachine>;
  const stop = async (): Promise<void> => {
    for (const machine of [...Object.values<SegmentMachine>(machines), bridge]) await machine.cut();
  };
  try {
    await bridge.run("ip link add br0 type bridge forward_delay 0; ip link set br0 up");
    for (const [index, name] of names.entries()) {
      const machine = await startMachine();
      machines[name] = machine;
      const port = `port${index}`;
      await bridge.run(
        `ip link add ${port} type veth peer name eth0 netns ${machine.child.pid ?? 0}; ip link set ${port} master br0 up`,
      );
      await machine.run(`ip link set lo up; ip addr add 10.9.0.${index + 1}/24 dev eth0; ip link set eth0 up`);
    }
    return { machines, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
