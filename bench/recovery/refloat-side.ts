/** Our side: the same service captured into a vault and recovered by the command line as it is published. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeDeclaration } from "../../examples/shop/stage/declaration.ts";
import type { Shop } from "../../examples/shop/stage/shop.ts";
import { publishProgram } from "../../scripts/published-program.ts";
import { type Measured, measureProcess } from "./measured-process.ts";

const stepSchema = z.object({
  id: z.string(),
  beganAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  durationMs: z.number(),
});
const runsSchema = z.object({ data: z.array(z.object({ number: z.int() })) });
const runSchema = z.object({
  data: z.object({
    record: z.object({
      state: z.string(),
      beganAt: z.iso.datetime(),
      endedAt: z.iso.datetime().nullable(),
      steps: z.array(stepSchema),
    }),
  }),
});
export type RunTimes = z.infer<typeof runSchema>["data"]["record"];

export type RefloatRecovery = Measured & { readonly number: number; readonly run: RunTimes };

/** Milliseconds of a run in which no step was at work: the engine's own scheduling and journaling. */
export const idleMs = (run: RunTimes): { readonly idle: number; readonly total: number } => {
  const beganMs = Date.parse(run.beganAt);
  const endedMs = Date.parse(run.endedAt ?? run.beganAt);
  const spans = run.steps
    .flatMap(({ beganAt, endedAt }) =>
      beganAt === null || endedAt === null ? [] : [[Date.parse(beganAt), Date.parse(endedAt)] as const],
    )
    .sort(([a], [b]) => a - b);
  let coveredUntilMs = beganMs;
  let idle = 0;
  for (const [from, to] of spans) {
    idle += Math.max(0, from - coveredUntilMs);
    coveredUntilMs = Math.max(coveredUntilMs, to);
  }
  return { idle: idle + Math.max(0, endedMs - coveredUntilMs), total: endedMs - beganMs };
};

export class RefloatSide {
  readonly #folder: string;
  readonly #program: string;

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.#program = program;
  }

  /** Makes the vault and takes the point, which is not timed. */
  static async prepare(shop: Shop, folder: string, passwordFile: string): Promise<RefloatSide> {
    await mkdir(folder, { recursive: true });
    const side = new RefloatSide(folder, await publishProgram(join(folder, "program")));
    await writeDeclaration(join(folder, "refloat.yaml"), shop, { url: join(folder, "vault"), passwordFile });
    await side.#run("vault", "init");
    await side.#run("capture", "shop");
    return side;
  }

  async recover(): Promise<RefloatRecovery> {
    const measured = await this.#run("recover", "shop", "--yes");
    const { data: list } = runsSchema.parse(await this.#ask("runs"));
    const number = Math.max(...list.map((run) => run.number));
    const { data } = runSchema.parse(await this.#ask("runs", String(number)));
    if (data.record.state !== "succeeded") throw new Error(`run ${number} is ${data.record.state}`);
    return { ...measured, number, run: data.record };
  }

  /**
   * Puts the old side back and drops what the recovery made, so that each round finds the very state that the first one found: a
   * database that was itself restored would be compared row by row for lost writes. Not timed.
   */
  async reset({ number }: RefloatRecovery): Promise<void> {
    await this.#run("undo", String(number), "--yes");
    await this.#run("commit", String(number + 1), "--yes");
  }

  /** The answer is the last line. */
  async #ask(...args: readonly string[]): Promise<unknown> {
    const { stdout } = await this.#run(...args, "--json");
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  }

  #run(...args: readonly string[]): Promise<Measured> {
    const where = ["--config", join(this.#folder, "refloat.yaml"), "--state", join(this.#folder, "state")];
    return measureProcess(process.execPath, [this.#program, ...args, ...where], { cwd: this.#folder });
  }
}
