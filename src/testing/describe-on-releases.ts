/** Suites that run on a real server of each release of PostgreSQL; where one cannot be had, its suite is skipped and says so. */
import { describe } from "vitest";
import { postgresReleases } from "./newer-postgres.ts";

/**
 * @param suite gets the folder of the release's programs, undefined for those of this machine
 * @param majors of the newer releases, all of them when left out
 */
export const describeOnReleases = (
  subject: string,
  suite: (binaries: string | undefined) => void,
  majors?: readonly number[],
): void => {
  for (const { name, binaries, missing } of postgresReleases(majors))
    describe.skipIf(missing)(`${subject} on ${name}`, () => {
      suite(binaries);
    });
};
