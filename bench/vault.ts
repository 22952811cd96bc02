/**
 * `npm run bench -- vault [--json] [--rounds 3] [--files 65000] [--megabytes 1800]`: one set of files kept by Refloat, by stock restic and
 * by stock BorgBackup, in turn, on the same machine. Each round each program takes a first capture into a fresh vault, one of the
 * unchanged files, one with a hundredth changed, and restores all. Prints medians, the ratios of ours to theirs, and our peak memory.
 *
 * Like for like: all compress by zstd at level 3, encrypt and authenticate, make durable what they write, and check what they restore.
 * None reads or decodes again what it has sealed in a capture (newer versions of restic do); of Refloat that is said in the output. Only
 * Refloat also writes facts, a manifest, a root over the vault's points and an entry of its audit log.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type Measured, measureProcess, median } from "./recovery/measured-process.ts";
import { publishProgram } from "../scripts/published-program.ts";
import { type Contestant, borgContestant, refloatContestant, resticContestant } from "./vault/contestants.ts";
import { changeOnePercent, makeDataSet } from "./vault/data-set.ts";
import { measureMillionBlobs } from "./vault/million-blobs.ts";
import { measureWarmReads } from "./vault/warm-reads.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    files: { type: "string", default: "65000" },
    megabytes: { type: "string", default: "1800" },
  },
});
const positive = z.coerce.number().int().positive();
const rounds = positive.parse(values.rounds);
const size = { files: positive.min(1000).parse(values.files), megabytes: positive.min(10).parse(values.megabytes) };

const acts = ["first_capture", "unchanged", "one_percent", "full_restore"] as const;
type Act = (typeof acts)[number];
type Run = Measured & { readonly by: Contestant["name"]; readonly act: Act };

const tell = (message: string): void => {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${message}\n`);
};
const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));

/** What one program left for the disk to do is not done in the time of the next one. */
const settleDisk = (): void => {
  spawnSync("sync");
};

/** @throws when a byte, a name or a link differs */
const compare = async (source: string, restored: string): Promise<void> => {
  await measureProcess("diff", ["--recursive", "--brief", "--no-dereference", source, restored], { cwd: source });
};

const race = async (contestants: readonly Contestant[], source: string, folder: string): Promise<readonly Run[]> => {
  const runs: Run[] = [];
  const take = <Result extends Measured>(by: Contestant["name"], act: Act, measured: Result): Result => {
    runs.push({ by, act, ...measured });
    const { wallMs, cpuMs, peakRssBytes } = measured;
    tell(
      `${by.padEnd(8)}${act.padEnd(14)}${(wallMs / 1000).toFixed(2)} s, processor ${(cpuMs / 1000).toFixed(2)} s, peak ${Math.round(peakRssBytes / 1e6)} MB`,
    );
    return measured;
  };
  for (let round = 0; round < rounds; round += 1) {
    tell(`round ${round + 1} of ${rounds}`);
    // Each round begins with another one, so that none always finds the warmer machine.
    const begin = round % contestants.length;
    const order = [...contestants.slice(begin), ...contestants.slice(0, begin)];
    const captures = async (act: Act): Promise<void> => {
      for (const { name, capture } of order) {
        settleDisk();
        take(name, act, await capture());
      }
    };
    for (const { reset } of order) await reset();
    await captures("first_capture");
    await captures("unchanged");
    changeOnePercent(source, round + 1);
    await captures("one_percent");
    for (const { name, restore } of order) {
      settleDisk();
      // Kept to the end: ext4 passes over inodes that were freed in the last minutes one by one, and the next program would pay for it.
      const restored = take(name, "full_restore", await restore(join(folder, `restored-${round}-${name}`)));
      await compare(source, restored.folder);
    }
  }
  return runs;
};

const summarise = (runs: readonly Run[]) => {
  const medianOf = (by: Contestant["name"], act: Act, figure: (run: Run) => number): number =>
    median(runs.filter((run) => run.by === by && run.act === act).map(figure));
  const seconds = (by: Contestant["name"], act: Act): number => medianOf(by, act, ({ wallMs }) => wallMs) / 1000;
  const peak = (by: Contestant["name"]): number =>
    Math.round(Math.max(...runs.filter((run) => run.by === by).map(({ peakRssBytes }) => peakRssBytes)) / 1e6);
  const ratios = (["restic", "borg"] as const).flatMap((other) =>
    acts.map((act) => [`${act}_vs_${other}`, rounded(seconds("refloat", act) / seconds(other, act))] as const),
  );
  const names = ["refloat", "restic", "borg"] as const;
  return {
    ratios: Object.fromEntries(ratios),
    figures: {
      peak_rss_mb: peak("refloat"),
      restic_peak_rss_mb: peak("restic"),
      borg_peak_rss_mb: peak("borg"),
      ...Object.fromEntries(
        names.flatMap((by) =>
          acts.flatMap((act) => [
            [`${by}_${act}_s`, rounded(seconds(by, act))] as const,
            [`${by}_${act}_cpu_s`, rounded(medianOf(by, act, ({ cpuMs }) => cpuMs) / 1000)] as const,
          ]),
        ),
      ),
    },
  };
};

const run = async () => {
  const folder = await mkdtemp(join(await realpath("/var/tmp"), "refloat-bench-vault-"));
  try {
    const source = join(folder, "source");
    const password = randomBytes(24).toString("base64url");
    tell(`making ${size.files} files of ${size.megabytes} MB, and the program as it is published`);
    makeDataSet(source, size);
    const program = await publishProgram(join(folder, "program"));
    const places = { source, folder, password };
    const refloat = refloatContestant(places, program);
    const contestants = [refloat, resticContestant(places), borgContestant(places)];
    const raced = summarise(await race(contestants, source, folder));
    tell("warm reads, and a vault of a million blobs");
    const warm = await measureWarmReads({
      vault: join(folder, "refloat/vault"),
      password,
      snapshot: refloat.snapshot(),
    });
    const million = await measureMillionBlobs();
    const reads = Object.entries({ ...warm, ...million }).map(([name, value]) => [name, rounded(value)] as const);
    return {
      bench: "vault",
      ratios: raced.ratios,
      figures: { ...raced.figures, ...Object.fromEntries(reads), ...size, rounds, reverifies_sealed_blobs: false },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const summary = await run();
if (!values.json) {
  const lines = Object.entries(summary.ratios).map(([name, ratio]) => `${name.padEnd(28)}${ratio}`);
  process.stdout.write(
    [
      `wall time of Refloat over the other's (medians of ${rounds}, caches warm, one host; sealed blobs are not read again by a capture):`,
      ...lines,
      "",
    ].join("\n"),
  );
}
process.stdout.write(`${JSON.stringify(summary)}\n`);
