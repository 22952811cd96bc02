/** What commands that start a temporary server out of a point leave behind, when they end and when they are killed. */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect } from "vitest";
import { type ProcessRow, listProcesses, readPlaces } from "../../../src/platform/process-table.ts";
import { launcher } from "./refloat-program.ts";

export type ExcerptPlace = {
  /** Holds `refloat.yaml`, `vault`, `password` and `state`. */
  readonly folder: string;
  /** TMPDIR of the commands. */
  readonly temporary: string;
};

/** Folders of temporary servers; Node keeps a cache of its own beside them. */
export const foldersLeft = async ({ temporary }: ExcerptPlace): Promise<readonly string[]> =>
  (await readdir(temporary)).filter((name) => name.startsWith(".excerpt."));

const serversLeft = ({ temporary }: ExcerptPlace): readonly ProcessRow[] =>
  listProcesses().filter(({ pid }) => readPlaces(pid).workingDirectory?.startsWith(temporary) === true);

/** Kills `refloat extract` of a whole table while its server runs: that ends with it, and one folder stays. */
export const killExtract = async (place: ExcerptPlace, table: string): Promise<void> => {
  const { folder, temporary } = place;
  const killed = execa(process.execPath, [launcher, "extract", table, "--stdout"], {
    cwd: folder,
    reject: false,
    env: {
      REFLOAT_CONFIG: join(folder, "refloat.yaml"),
      REFLOAT_STATE: join(folder, "state"),
      TMPDIR: temporary,
    },
    stdin: "ignore",
    // Nobody reads: it cannot come to its end.
    buffer: false,
  });
  await expect.poll(() => serversLeft(place).length, { timeout: 60_000 }).toBeGreaterThan(0);
  killed.kill("SIGKILL");
  await killed;
  await expect.poll(() => serversLeft(place), { timeout: 60_000 }).toEqual([]);
  expect((await foldersLeft(place)).length).toBe(1);
};

/** `refloat extract` on a machine that has the vault and its password, and no declaration. @returns what it wrote */
export const extractFromVaultAlone = async (
  { folder, temporary }: ExcerptPlace,
  words: readonly string[],
): Promise<string> => {
  const elsewhere = join(folder, "elsewhere");
  await mkdir(elsewhere);
  const glass = ["--vault", join(folder, "vault"), "--password-file", join(folder, "password")];
  const { stdout, stderr, exitCode } = await execa(
    process.execPath,
    [launcher, ...glass, "extract", ...words, "--stdout"],
    {
      reject: false,
      cwd: elsewhere,
      stdin: "ignore",
      extendEnv: false,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: elsewhere,
        REFLOAT_STATE: join(elsewhere, "state"),
        TMPDIR: temporary,
      },
    },
  );
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return stdout;
};
