/**
 * What time the kernel would stamp on a file now. It lags behind the wall clock by up to a tick, so "written since" compares stamps
 * with stamps and never with our own clock. A network file system stamps by its server's clock, which this does not see.
 */
import { lstat, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** @param scratch a folder of ours @returns milliseconds with a fraction, as `Stats.ctimeMs` */
export const readFileSystemClock = async (scratch: string): Promise<number> => {
  const probe = join(scratch, `.clock-${process.pid}-${Math.trunc(performance.now() * 1_000)}`);
  try {
    await writeFile(probe, "");
    return (await lstat(probe)).ctimeMs;
  } finally {
    await rm(probe, { force: true });
  }
};
