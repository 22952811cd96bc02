/**
 * Watches the processes below one process, by /proc alone: each program that is started there, and the programs that these start, also those that
 * have left its session. A program is known by its name and by the step that it was started for; what has not yet become another program than its parent is
 * not told.
 */
import { readFileSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import {
  type ProcessIdentity,
  isAlive,
  readEnvironment,
  readPlaces,
  readProcess,
} from "../../../src/platform/process-table.ts";

export type Seen = ProcessIdentity & {
  /** `pg_restore`, `sh`, or the script that an interpreter runs. */
  readonly program: string;
  /** `restore:db`; empty where it was started for no step of a run. */
  readonly step: string;
};

/** What is over sooner is not seen. */
const periodMs = 4;

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
};

/** Of `node .../server.js` the script is what tells one from another. */
const programOf = (pid: number): string | null => {
  const [program, ...words] = readPlaces(pid).words;
  if (program === undefined) return null;
  const script = words.find((word) => /\.[cm]?js$/.test(word));
  return script !== undefined && basename(program).startsWith("node") ? basename(script) : basename(program);
};

const stepOf = (pid: number): string =>
  /^refloat\/[^/]+\/(.*)\/\d+$/.exec(readEnvironment(pid)?.get("REFLOAT_STEP") ?? "")?.[1] ?? "";

export class ProcessWatch {
  readonly #root: number;
  readonly #onSight: (seen: Seen) => void;
  /** Of each process that was there: is it below the root, and as what was it seen? */
  readonly #known = new Map<number, { readonly below: boolean; line: string }>();
  readonly #below = new Map<number, Seen>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(root: number, onSight: (seen: Seen) => void) {
    this.#root = root;
    this.#onSight = onSight;
  }

  /** @param onSight is told of each program once, as soon as it is one of its own */
  static begin(root: number, onSight: (seen: Seen) => void): ProcessWatch {
    const watch = new ProcessWatch(root, onSight);
    watch.#look();
    watch.#timer = setInterval(() => watch.#look(), periodMs);
    return watch;
  }

  /** Those that run now, the youngest last. */
  get running(): readonly Seen[] {
    return [...this.#below.values()].filter(isAlive);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const pids = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
    const there = new Set(pids);
    for (const pid of this.#known.keys()) if (!there.has(pid)) this.#known.delete(pid);
    // Parents first, as far as numbers tell: one that is missed is looked at again in the next round.
    for (const pid of pids) if (!this.#known.has(pid)) this.#meet(pid);
    for (const [pid, known] of this.#known) if (known.below) this.#tell(pid, known);
  }

  #meet(pid: number): void {
    const row = readProcess(pid);
    if (row === null) return;
    const below = row.parent === this.#root || this.#known.get(row.parent)?.below === true;
    this.#known.set(pid, { below, line: below ? commandLine(row.parent) : "" });
  }

  #tell(pid: number, known: { line: string }): void {
    const line = commandLine(pid);
    // Until it has become a program of its own it has its parent's words.
    if (line === "" || line === known.line) return;
    known.line = line;
    const [row, program] = [readProcess(pid), programOf(pid)];
    if (row === null || program === null) return;
    const seen = { pid, startTicks: row.startTicks, program, step: stepOf(pid) };
    this.#below.set(pid, seen);
    this.#onSight(seen);
  }
}
