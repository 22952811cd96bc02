/**
 * Runs a program that must come to its end: one that leaves a half-done thing behind when it is killed. It is not ended with Refloat;
 * whoever looks next finds it by its environment and waits.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";

export type OutlivingProgram = {
  readonly program: string;
  readonly words: readonly string[];
  /** All that it gets. */
  readonly environment: Readonly<Record<string, string>>;
  /** File for what it says: a pipe would be closed with us, and its next word would end it. */
  readonly log: string;
};

/**
 * Waits for its end, whoever aborts meanwhile.
 * @throws what the system says where it cannot be started
 */
export const runToItsEnd = async ({
  program,
  words,
  environment,
  log: path,
}: OutlivingProgram): Promise<{ readonly code: number | null; readonly said: string }> => {
  const log = await open(path, "w", 0o600);
  try {
    const child = spawn(program, words, { env: environment, stdio: ["ignore", log.fd, log.fd], detached: true });
    const [code] = (await once(child, "exit")) as [number | null];
    return { code, said: await readFile(path, "utf8") };
  } finally {
    await log.close();
  }
};
