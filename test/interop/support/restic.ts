/** The stock restic program, as the judge of our repositories. A test that needs it fails with the package to install. */
import { execa } from "execa";
import { beforeAll } from "vitest";

export const password = "correct horse";

export const requireRestic = (): void => {
  beforeAll(async () => {
    const { exitCode } = await execa("restic", ["version"], { reject: false });
    if (exitCode !== 0) throw new Error("restic is not installed: apt-get install restic");
  });
};

/** @returns standard output; throws with standard error if restic does not exit with 0 */
export const restic = async (repository: string, ...args: readonly string[]): Promise<string> => {
  const { stdout } = await execa("restic", ["--no-cache", "-r", repository, ...args], {
    env: { RESTIC_PASSWORD: password, TZ: "UTC" },
  });
  return stdout;
};

export const resticRefusal = async (repository: string, ...args: readonly string[]): Promise<string> => {
  const { exitCode, stderr } = await execa("restic", ["--no-cache", "-r", repository, ...args], {
    env: { RESTIC_PASSWORD: password },
    reject: false,
  });
  if (exitCode === 0) throw new Error(`restic ${args.join(" ")} was to be refused`);
  return stderr;
};
