/**
 * Runs terraform in a declared module. Its working files lie in Refloat's own state folder, so that nothing is written beside the
 * module. What changes the world is not ended with Refloat: a terraform that is killed forgets what it was just making.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { bindEnvironment } from "../../platform/bound-environment.ts";
import { lastLines, redact } from "../../platform/shell-line.ts";
import { programError } from "../../platform/subprocess.ts";
import type { TerraformOptions } from "./terraform-options.ts";

export type TerraformContext = DriverContext<TerraformOptions>;

const linesShown = 12;

type Bound = { readonly environment: Readonly<Record<string, string>>; readonly secrets: readonly string[] };

const bound = async (context: TerraformContext): Promise<Bound> => {
  const { bind, options, stateDirectory } = context;
  const credentials = await bindEnvironment(bind, options.environment);
  const variables = await bindEnvironment(bind, options.variables);
  const data = join(stateDirectory, "terraform");
  await mkdir(data, { recursive: true, mode: 0o700 });
  return {
    environment: {
      ...baseEnvironment(),
      ...credentials.variables,
      ...Object.fromEntries(Object.entries(variables.variables).map(([name, value]) => [`TF_VAR_${name}`, value])),
      TF_DATA_DIR: data,
      TF_IN_AUTOMATION: "1",
      TF_INPUT: "0",
      CHECKPOINT_DISABLE: "1",
      ...(options.workspace === undefined ? {} : { TF_WORKSPACE: options.workspace }),
      REFLOAT_STEP: context.marker,
    },
    secrets: [...credentials.secrets, ...variables.secrets].flatMap(asTerraformShows),
  };
};

/** Shorter pieces of a secret stand in any text, and tell nothing. */
const leastPieceLength = 4;

const stringsIn = (value: unknown): readonly string[] => {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(stringsIn) : [];
};

const jsonIn = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

/** A secret as a plan and an output may hold it: whole, in quotes, line by line, and taken apart where it is JSON. Longest first. */
const asTerraformShows = (secret: string): readonly string[] => {
  const pieces = [...secret.split("\n").map((line) => line.trim()), ...stringsIn(jsonIn(secret))];
  return [secret, ...pieces.filter((piece) => piece.length >= leastPieceLength)]
    .flatMap((piece) => [piece, JSON.stringify(piece).slice(1, -1)])
    .toSorted((one, other) => other.length - one.length);
};

const failure = (context: TerraformContext, act: string, said: string, secrets: readonly string[]): RefloatError =>
  new RefloatError(
    "program.failed",
    `terraform ${act} of ${context.component} failed: ${lastLines(redact(said, secrets).trim(), linesShown)}`,
    { context: { component: context.component, directory: context.options.directory } },
  );

type TerraformAnswer = {
  /** Secrets in it are as they are. */
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** What must not be seen in what is shown of it. */
  readonly secrets: readonly string[];
};

/**
 * What only looks. @param accepts exit statuses that are answers
 * @throws RefloatError program.missing, program.failed
 */
export const askTerraform = async (
  context: TerraformContext,
  [act = "", ...words]: readonly string[],
  accepts: readonly number[] = [0],
): Promise<TerraformAnswer> => {
  const { environment, secrets } = await bound(context);
  context.signal.throwIfAborted();
  const result = await execa("terraform", [act, ...words], {
    cwd: context.options.directory,
    env: environment,
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    cancelSignal: context.signal,
    maxBuffer: 64 * 1024 * 1024,
  });
  context.signal.throwIfAborted();
  if (result.exitCode === undefined) throw programError("terraform", result);
  const { stdout, stderr, exitCode } = result;
  if (accepts.includes(exitCode)) return { stdout, stderr, exitCode, secrets };
  throw failureOf(context, act, { stdout, stderr, exitCode, secrets });
};

/** An answer that turned out to be none. */
export const failureOf = (
  context: TerraformContext,
  act: string,
  { stdout, stderr, secrets }: TerraformAnswer,
): RefloatError => failure(context, act, `${stdout}\n${stderr}`, secrets);

/** The marker that lets it live on when the process that began it is gone: the next one waits for terraform's own lock. */
const keptOn = (marker: string) => ({ REFLOAT_INSTANCE: `left-by/${marker}` });

/** What changes the world. An abort asks it to stop at the next safe place, as Ctrl-C does, and waits for that. */
export const letTerraformAct = async (
  context: TerraformContext,
  [act = "", ...words]: readonly string[],
): Promise<void> => {
  const { environment, secrets } = await bound(context);
  const path = join(context.stateDirectory, "terraform", `${act}.log`);
  const log = await open(path, "w", 0o600);
  context.signal.throwIfAborted();
  try {
    const child = spawn("terraform", [act, ...words], {
      cwd: context.options.directory,
      env: { ...environment, ...keptOn(context.marker) },
      // A pipe would be closed with us, and the next word that it says would end it.
      stdio: ["ignore", log.fd, log.fd],
      detached: true,
    });
    const interrupt = (): void => void child.kill("SIGINT");
    context.signal.addEventListener("abort", interrupt, { once: true });
    const [code] = (await once(child, "exit").catch((error: unknown) => {
      throw programError("terraform", error);
    })) as [number | null];
    context.signal.removeEventListener("abort", interrupt);
    context.signal.throwIfAborted();
    if (code !== 0) throw failure(context, act, await readFile(path, "utf8"), secrets);
  } finally {
    await log.close();
  }
};
