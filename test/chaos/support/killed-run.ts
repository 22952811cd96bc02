/** A run in a world of files whose processes are killed: starts them, and looks at what they have left. */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { bundle, programSource } from "../../../scripts/bundle-program.ts";
import { hasEnded } from "../../../src/core/run/legal-transitions.ts";
import type { RunRecord } from "../../../src/model/run.ts";
import { FileWorld } from "../../../src/testing/file-world.ts";
import { openInThreadJournal } from "../../../src/testing/in-thread-journal.ts";
import { type Intercept, nothingHappens } from "../../../src/testing/world-handlers.ts";
import { type EngineAct, actOnRun } from "./act-on-run.ts";
import { type Account, accountOf } from "./journal-account.ts";

const root = join(import.meta.dirname, "../../..");

/** Bundled, since hundreds of them start. @param folder is empty @returns what a run's processes are started from */
export const bundleEngineProcess = async (folder: string): Promise<string> => {
  await bundle(folder, {
    "engine-process": fileURLToPath(new URL("engine-process.ts", import.meta.url)),
    "journal-worker": programSource("journal-worker"),
  });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "engine-process.js");
};

export type ProcessEnd = { readonly killed: boolean; readonly state: string; readonly said: string };

export type ProcessTrouble = {
  /** `kill-after:7`: at the journal. */
  readonly fault?: string;
  /** `kill:apply:switch:db`: in a handler. */
  readonly troubles?: readonly string[];
  /** From outside, so long after its start. */
  readonly killAfterMs?: number;
};

export class KilledRun {
  readonly folder: string;
  readonly world: FileWorld;
  readonly #program: string;

  private constructor(program: string, folder: string, components?: readonly string[]) {
    this.#program = program;
    this.folder = folder;
    this.world = FileWorld.create(join(folder, "world"), components);
  }

  /** @param program of bundleEngineProcess */
  static async create(program: string, components?: readonly string[]): Promise<KilledRun> {
    return new KilledRun(program, await mkdtemp(join(tmpdir(), "refloat-chaos-")), components);
  }

  async process(act: EngineAct, { fault, troubles = [], killAfterMs }: ProcessTrouble = {}): Promise<ProcessEnd> {
    const child = execa(process.execPath, [this.#program, this.folder, act, ...troubles], {
      reject: false,
      env: fault === undefined ? {} : { REFLOAT_FAULT: fault },
    });
    if (killAfterMs !== undefined) {
      await pause(killAfterMs);
      child.kill("SIGKILL");
    }
    const ended = await child;
    return { killed: ended.signal === "SIGKILL", state: ended.stdout, said: ended.stderr };
  }

  /** What the next process does, which is this one: goes on with the run, or begins it when the dead one had not. */
  async goOn(act: "resume" | "cancel" = "resume", intercept: Intercept = nothingHappens): Promise<RunRecord> {
    const journal = openInThreadJournal(join(this.folder, "journal.db"));
    try {
      const [run] = await journal.listRuns();
      if (run === undefined) return await actOnRun({ folder: this.folder, journal, act: "execute", intercept });
      const isOver = act === "resume" ? hasEnded(run.state) : run.state === "cancelled";
      if (isOver) return run;
      return await actOnRun({ folder: this.folder, journal, act, intercept });
    } finally {
      await journal.close();
    }
  }

  /** The same for two services at once. @returns the records of all runs, in the order of their numbers */
  async goOnTogether(): Promise<readonly RunRecord[]> {
    const journal = openInThreadJournal(join(this.folder, "journal.db"));
    try {
      const runs = await journal.listRuns();
      const act = runs.length === 0 ? "executeJoint" : "resumeJoint";
      if (runs.length === 0 || runs.some(({ state }) => !hasEnded(state)))
        await actOnRun({ folder: this.folder, journal, act, intercept: nothingHappens });
      return (await journal.listRuns()).toReversed();
    } finally {
      await journal.close();
    }
  }

  /** What its journal tells of it; null before there is a run. */
  async account(): Promise<Account | null> {
    return accountOf(join(this.folder, "journal.db"), 1);
  }

  /** What came of it: whatever was killed, an effect happened once; what is only looked at may have been looked at again. */
  get seen() {
    const effects = this.world.effects.filter((line) => line.startsWith("apply "));
    const isLook = (line: string): boolean => /^apply (check|try|approve|probe)\b/.test(line);
    return {
      serving: this.world.serving,
      running: this.world.names("running"),
      store: this.world.names("store").filter((name) => !name.endsWith(".migrated")),
      repeated: effects.filter((line, index) => effects.indexOf(line) !== index && !isLook(line)),
      applied: new Set(this.world.begun).size,
    };
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
