/** Runs the program as a person does: a child process, its output and its exit status. */
import { execa } from "execa";
import { inject } from "vitest";

export const launcher = inject("launcher");

export type Ended = {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON lines of standard output, the envelope last. */
  readonly lines: readonly Record<string, unknown>[];
};

export type RefloatProgram = {
  readonly run: (args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<Ended>;
  /** The same, and fails the test with all that was said unless it exits with 0. */
  readonly succeed: (args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<Ended>;
  readonly spawn: (
    args: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ) => ReturnType<typeof startProgram>;
};

const jsonLines = (text: string): readonly Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** As the launcher would start itself anew: a start of Node less for each command. test/bin/launch.test.ts tests the launcher's own way. */
const leanNode = ["--max-semi-space-size=4"];

const startProgram = (
  folder: string,
  state: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
) =>
  execa(process.execPath, [...leanNode, launcher, ...args], {
    reject: false,
    cwd: folder,
    env: { REFLOAT_CONFIG: `${folder}/refloat.yaml`, REFLOAT_STATE: state, ...environment },
    stdin: "ignore",
  });

/** @param folder holds refloat.yaml @param state another folder for the state, as if it were another machine */
export const refloatIn = (folder: string, state = `${folder}/state`): RefloatProgram => {
  const spawn = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    startProgram(folder, state, args, environment);
  const run = async (args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Ended> => {
    const result = await spawn(args, environment);
    const stdout = result.stdout;
    return {
      exit: result.exitCode ?? null,
      signal: result.signal ?? null,
      stdout,
      stderr: result.stderr,
      lines: jsonLines(stdout),
    };
  };
  const succeed = async (args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Ended> => {
    const ended = await run(args, environment);
    if (ended.exit !== 0)
      throw new Error(
        `refloat ${args.join(" ")} exited ${ended.exit} ${ended.signal ?? ""}\n${ended.stdout}\n${ended.stderr}`,
      );
    return ended;
  };
  return { run, succeed, spawn };
};
