/** Runs the program in a folder: no questions, no colours, no word to its makers, its own working files where they are told to be. */
import { execa } from "execa";
import { RefloatError } from "../../../model/refloat-error.ts";
import { baseEnvironment } from "../../../platform/base-environment.ts";
import type { BoundEnvironment } from "../../../platform/bound-environment.ts";
import { redact } from "../../../platform/shell-line.ts";
import { childEnvironment, programError } from "../../../platform/subprocess.ts";

export type TerraformRun = {
  readonly program: string;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly marker: string;
  readonly environment: BoundEnvironment;
  /** Where `.terraform` is to be; in the folder when left out. */
  readonly dataFolder?: string;
};

const environmentOf = ({ environment, dataFolder }: TerraformRun): Readonly<Record<string, string>> => ({
  ...baseEnvironment(),
  ...environment.variables,
  LC_ALL: "C.UTF-8",
  TF_IN_AUTOMATION: "1",
  TF_INPUT: "0",
  CHECKPOINT_DISABLE: "1",
  ...(dataFolder === undefined ? {} : { TF_DATA_DIR: dataFolder }),
});

/** `Error: ...` stands in a frame of lines. */
const plainWords = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.replace(/^[│╷╵]\s*/u, "").trim())
    .filter((line) => line !== "")
    .join(" ");

export type TerraformAnswer = { readonly exitCode: number; readonly stdout: string; readonly said: string };

/**
 * Whatever it ends with. Declared secrets are taken out of what it says.
 * @throws RefloatError program.missing; program.failed when a signal ended it
 */
export const askTerraform = async (run: TerraformRun, words: readonly string[]): Promise<TerraformAnswer> => {
  const { program, folder, signal, marker } = run;
  const result = await execa(program, [...words], {
    cancelSignal: signal,
    cwd: folder,
    env: childEnvironment({ environment: environmentOf(run), cleanEnvironment: true, marker }),
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    stripFinalNewline: false,
  });
  signal.throwIfAborted();
  if (result.exitCode !== undefined)
    return {
      exitCode: result.exitCode,
      stdout: result.stdout,
      said: redact(plainWords(result.stderr), run.environment.secrets).slice(0, longestWords),
    };
  const failure = programError(program, result);
  if (failure.code !== "program.missing") throw failure;
  throw new RefloatError("program.missing", failure.message, {
    hint: "Debian has no package of it: see developer.hashicorp.com/terraform/install; program: names another, such as tofu",
  });
};

const longestWords = 600;

/** @returns its standard output @throws RefloatError program.missing, program.failed with its words */
export const runTerraform = async (run: TerraformRun, words: readonly string[]): Promise<string> => {
  const { exitCode, stdout, said } = await askTerraform(run, words);
  if (exitCode === 0) return stdout;
  throw new RefloatError(
    "program.failed",
    `${run.program} ${words[0] ?? ""} ended with exit status ${exitCode}: ${said}`,
  );
};
