/**
 * What time the kernel stamps on a file now. It moves in ticks of some milliseconds and lags behind the wall clock, so "written
 * since" compares stamps with stamps and never with our own clock. A network file system stamps by its server's clock, which
 * this does not see.
 */
import { lstat, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const stamp = async (probe: string): Promise<number> => {
  await writeFile(probe, "");
  return (await lstat(probe)).ctimeMs;
};

/**
 * The first stamp of a new tick: whatever was written before the call has an older one, whatever is written after it this one or
 * a newer one.
 * @param scratch a folder of ours @returns milliseconds with a fraction, as `Stats.ctimeMs`
 */
export const readFileSystemClock = async (scratch: string): Promise<number> => {
  const probe = join(scratch, `.clock-${process.pid}-${Math.trunc(performance.now() * 1_000)}`);
  try {
    const first = await stamp(probe);
    let latest = first;
    while (latest === first) {
      await delay(1);
      latest = await stamp(probe);
    }
    return latest;
  } finally {
    await rm(probe, { force: true });
  }
};
