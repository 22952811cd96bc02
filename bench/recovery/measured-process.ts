/** Runs a program to its end and measures it: wall time, processor time, and the peak of its own resident memory (not its children's). */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

export type Measured = {
  readonly wallMs: number;
  /** Of all its threads; what it used after the last sample is not in it. */
  readonly cpuMs: number;
  readonly peakRssBytes: number;
  readonly stdout: string;
};

const samplePeriodMs = 50;

/** The kernel's own high-water mark, which only grows: a sample misses at most the process's last moments. */
const readPeakRss = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
};

/** Linux counts in hundredths of a second, whatever the machine. */
const tickMs = 10;

const readCpuMs = async (pid: number): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The second field is the program's name, which may hold anything; user and system time are the 14th and the 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickMs;
};

/** @throws with the last lines of standard error when the program fails */
export const measureProcess = async (
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly environment?: Readonly<Record<string, string>> },
): Promise<Measured> => {
  const beganMs = performance.now();
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let peakRssBytes = 0;
  let cpuMs = 0;
  const sampler = setInterval(() => {
    if (child.pid === undefined) return;
    void readPeakRss(child.pid).then((bytes) => (peakRssBytes = Math.max(peakRssBytes, bytes)));
    void readCpuMs(child.pid).then((ms) => (cpuMs = Math.max(cpuMs, ms)));
  }, samplePeriodMs);
  const exited = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "nothing"));
  });
  try {
    const [code, stdout, stderr] = await Promise.all([
      // The clock stops at the exit; a grandchild may hold the pipes open for longer.
      exited.then((result) => ({ result, wallMs: performance.now() - beganMs })),
      text(child.stdout),
      text(child.stderr),
    ]);
    if (code.result !== 0) {
      const said = stderr.trimEnd().split("\n").slice(-10).join("\n");
      throw new Error(`${program} ${args.join(" ")} ended with ${code.result}: ${said}`);
    }
    return { wallMs: code.wallMs, cpuMs, peakRssBytes, stdout };
  } finally {
    clearInterval(sampler);
  }
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
};
