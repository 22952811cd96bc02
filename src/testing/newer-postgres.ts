/**
 * Releases of PostgreSQL newer than this machine's own, for tests that no other release can stand in for: Debian's packages of later
 * suites, unpacked and never installed, with the libraries that they were built with. Fetched by `npm run setup` into a cache.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export type NewerRelease = { readonly major: number; readonly suite: string };

/** Which suite of Debian has which. */
export const newerReleases: readonly NewerRelease[] = [
  { major: 17, suite: "trixie" },
  { major: 18, suite: "forky" },
];

/** As root the servers run as another user, who may not enter root's own folder. */
const cacheFolder = (): string =>
  process.env["XDG_CACHE_HOME"] ?? (process.getuid?.() === 0 ? "/var/cache" : join(homedir(), ".cache"));

export const newerPostgresFolder = (major: number): string =>
  join(cacheFolder(), "refloat-tests", `postgresql-${major}`);

/** Programs find their other files from where they stand, hence Debian's own places below the folder. */
export const programsBelow = (folder: string, major: number): string =>
  join(folder, "lib/postgresql", String(major), "bin");

/** @returns the folder with initdb, postgres, pg_dump and the rest; null where there is none: `npm run setup` fetches it */
export const findNewerPostgres = (major: number): string | null => {
  const places = [programsBelow("/usr", major), programsBelow(newerPostgresFolder(major), major)];
  return places.find((folder) => existsSync(join(folder, "initdb"))) ?? null;
};

/** The programs that talk to a server are looked for on the path, after those of this machine. */
const addToPath = (folder: string): void => {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (!folders.includes(folder)) process.env["PATH"] = [...folders, folder].join(delimiter);
};

/** What a suite runs on: `describe.each(postgresReleases())`. */
export type TestedRelease = {
  /** For the name of the suite. */
  readonly name: string;
  /** Undefined for what the machine has: the servers' own default. */
  readonly binaries: string | undefined;
  /** Nothing can be run here: to be skipped, and the name says so. */
  readonly missing: boolean;
};

export const newerRelease = (major: number): TestedRelease => {
  const binaries = findNewerPostgres(major);
  if (binaries === null)
    return { name: `PostgreSQL ${major}, which is not here: npm run setup`, binaries: undefined, missing: true };
  addToPath(binaries);
  return { name: `PostgreSQL ${major}`, binaries, missing: false };
};

/** @param majors of the newer ones */
export const postgresReleases = (
  majors: readonly number[] = newerReleases.map(({ major }) => major),
): readonly TestedRelease[] => [
  { name: "the installed PostgreSQL", binaries: undefined, missing: false },
  ...majors.map(newerRelease),
];
