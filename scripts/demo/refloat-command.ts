/** Runs the real command line as a child process, as a person would type it. */
import { type SpawnOptions, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import type { DemoFolder } from "./demo-folder.ts";
import type { Screen } from "./screen.ts";

const program = join(import.meta.dirname, "../../bin/refloat.cjs");
const envelopeSchema = z.object({ data: z.unknown() });

export class RefloatCommand {
  readonly #folder: DemoFolder;
  readonly #screen: Screen;
  readonly #signal: AbortSignal;

  constructor(folder: DemoFolder, screen: Screen, signal: AbortSignal) {
    this.#folder = folder;
    this.#screen = screen;
    this.#signal = signal;
  }

  /**
   * Shows the command and its screens.
   * @param typed what a person types
   * @param unseen further words that a person at a terminal would not need
   */
  async show(typed: readonly string[], unseen: readonly string[] = []): Promise<void> {
    this.#screen.line(`$ refloat ${typed.map(quote).join(" ")}`);
    const { descriptor } = this.#screen;
    await this.#run([...typed, ...unseen], ["ignore", descriptor, 2]).ended;
    this.#screen.line("");
  }

  /** Runs it with `--json` and unwraps the envelope, which is the last line. */
  async ask<T>(args: readonly string[], schema: z.ZodType<T>): Promise<T> {
    const { child, ended } = this.#run([...args, "--json"], ["ignore", "pipe", 2]);
    const [answer] = await Promise.all([child.stdout === null ? "" : text(child.stdout), ended]);
    return schema.parse(envelopeSchema.parse(JSON.parse(answer.trimEnd().split("\n").at(-1) ?? "")).data);
  }

  #run(args: readonly string[], stdio: SpawnOptions["stdio"]) {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: this.#folder.path,
      // Not as words: the next steps that Refloat names would repeat them.
      env: { ...process.env, REFLOAT_CONFIG: this.#folder.declaration, REFLOAT_STATE: this.#folder.state },
      // A Ctrl-C at the terminal would reach it beside our own signal, and two of them mean "kill" to Refloat.
      detached: true,
      signal: this.#signal,
      killSignal: "SIGINT",
      ...(stdio === undefined ? {} : { stdio }),
    });
    const ended = new Promise<void>((resolve, reject) => {
      let error: Error | undefined;
      child.once("error", (failure) => {
        error = failure;
        // One that was told to stop is waited for: it must not outlive us. One that never began will not exit.
        if (child.pid === undefined) reject(failure);
      });
      child.once("exit", (code, signal) => {
        if (error !== undefined) reject(error);
        else if (code === 0) resolve();
        else reject(new Error(`refloat ${args[0] ?? ""} ended with ${signal ?? `exit code ${code}`}`));
      });
    });
    return { child, ended };
  }
}

const quote = (word: string): string => (/^[\w./:-]+$/.test(word) ? word : JSON.stringify(word));
