/**
 * How long a repository of a million blobs takes to open, and in how much memory. Each opening is a process of its own, from password to
 * the first byte of a file; the median of three is told.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { measureProcess, median } from "../recovery/measured-process.ts";
import { generateIndexes } from "./generated-indexes.ts";

const opener = fileURLToPath(new URL("open-generated.ts", import.meta.url));
const openedSchema = z.object({ seconds: z.number() });

export const measureMillionBlobs = async (
  blobs = 1_000_000,
  rounds = 3,
): Promise<{ readonly million_blobs_open_s: number; readonly million_blobs_rss_mb: number }> => {
  const folder = await mkdtemp(join(tmpdir(), "refloat-bench-blobs-"));
  try {
    await generateIndexes(join(folder, "vault"), blobs);
    const opened: { readonly seconds: number; readonly peakRssBytes: number }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      // Not `maxRSS` as the process itself sees it: that begins with the peak of whoever started it.
      const { stdout, peakRssBytes } = await measureProcess(process.execPath, [opener, join(folder, "vault")], {
        cwd: folder,
      });
      opened.push({ ...openedSchema.parse(JSON.parse(stdout)), peakRssBytes });
    }
    return {
      million_blobs_open_s: median(opened.map(({ seconds }) => seconds)),
      million_blobs_rss_mb: median(opened.map(({ peakRssBytes }) => peakRssBytes)) / 1e6,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

if (import.meta.main) process.stdout.write(`${JSON.stringify(await measureMillionBlobs())}\n`);
