/**
 * `npm run bench -- orchestration [--json] [--rounds 3]`: how long Refloat takes to plan a service of ten thousand components, what a step
 * costs beside what it does, how near a run comes to the time that no scheduler can beat, and how soon a killed one goes on; with the real
 * planner, engine, journal and lease, bundled as they are published. The same graphs are executed, in turn, by DBOS Transact, a durable workflow library on PostgreSQL,
 * which the bench installs in a folder of its own and which syncs to the same disk.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { bundle, programSource } from "../scripts/bundle-program.ts";
import { startPostgresServer } from "../src/testing/postgres-server.ts";
import { boundsOf } from "../src/testing/timed-plan.ts";
import { type Measured, measureProcess, median } from "./recovery/measured-process.ts";
import { type StepShape, chain, independent, randomGraph } from "./orchestration/step-shape.ts";

const library = "@dbos-inc/dbos-sdk@5.3.0";
const noOps = 1_000;

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "3" } },
});
const rounds = z.coerce.number().int().positive().parse(values.rounds);

const tell = (message: string): void => {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${message}\n`);
};
const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));
const megabytes = ({ peakRssBytes }: Measured): number => Math.round(peakRssBytes / 1e6);

/** Bundled as the program is published: nobody starts it from its sources. */
const built = await mkdtemp(join(await realpath("/var/tmp"), "refloat-bench-programs-"));
const source = (name: string): string => join(import.meta.dirname, "orchestration", `${name}.ts`);
const program = (name: string): string => join(built, "dist", `${name}.js`);
const buildPrograms = async (): Promise<void> => {
  const own = ["refloat-program", "planning-program", "library-program"].map((name) => [name, source(name)] as const);
  await bundle(join(built, "dist"), { ...Object.fromEntries(own), "journal-worker": programSource("journal-worker") });
  await symlink(join(import.meta.dirname, "../node_modules"), join(built, "node_modules"));
};
const run = (name: string, args: readonly string[]): Promise<Measured> =>
  measureProcess(process.execPath, [program(name), ...args], { cwd: import.meta.dirname });

/** What a program says that its work took, without its own start. */
const tookMs = ({ stdout }: Measured): readonly number[] =>
  [...stdout.matchAll(/^took ([\d.]+)/gm)].map(([, ms]) => Number(ms));

type Side = (shape: StepShape) => Promise<{ readonly ms: number; readonly measured: Measured }>;

/** A fresh state folder, and so a fresh journal, for each run. */
const refloatSide = (folder: string): Side => {
  let runs = 0;
  return async (shape) => {
    runs += 1;
    const own = join(folder, `refloat-${runs}`);
    await mkdir(own);
    const file = join(own, "shape.json");
    await writeFile(file, JSON.stringify(shape));
    const measured = await run("refloat-program", [own, file, "execute"]);
    return { ms: median(tookMs(measured)), measured };
  };
};

const librarySide = async (folder: string, databaseUrl: (name: string) => string): Promise<Side> => {
  const place = join(folder, "library");
  await mkdir(place);
  await writeFile(join(place, "package.json"), JSON.stringify({ name: "library", private: true }));
  await measureProcess("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", library], { cwd: place });
  const module = pathToFileURL(join(place, "node_modules/@dbos-inc/dbos-sdk/dist/src/index.js")).href;
  let runs = 0;
  return async (shape) => {
    runs += 1;
    const file = join(place, `shape-${runs}.json`);
    await writeFile(file, JSON.stringify(shape));
    const measured = await run("library-program", [module, databaseUrl(`bench_${runs}`), file]);
    return { ms: median(tookMs(measured)), measured };
  };
};

/** Kills a run of no-op steps in its middle. @returns from the start of the next process to the first step that it makes */
const measureResume = async (folder: string, round: number): Promise<number> => {
  const own = join(folder, `killed-${round}`);
  await mkdir(own);
  const file = join(own, "shape.json");
  await writeFile(file, JSON.stringify(chain(noOps)));
  const start = (...args: readonly string[]) =>
    spawn(process.execPath, [program("refloat-program"), own, file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [, signal] = await once(start("execute", `s${noOps / 2}`), "exit");
  if (signal !== "SIGKILL") throw new Error("the run was not killed");
  const beganMs = performance.now();
  const next = start("resume");
  await once(next.stdout, "data");
  const firstMs = performance.now() - beganMs;
  next.stdout.resume();
  const [code] = await once(next, "exit");
  if (code !== 0) throw new Error("the killed run was not finished");
  return firstMs;
};

type Comparison = { readonly ours: number[]; readonly theirs: number[] };

/** Each round begins with the other side, so that neither always finds the warmer machine. */
const race = async (what: string, shapes: readonly StepShape[], ours: Side, theirs: Side): Promise<Comparison> => {
  const result: Comparison = { ours: [], theirs: [] };
  for (const [index, shape] of shapes.entries()) {
    const sides = [
      [ours, result.ours, "Refloat"],
      [theirs, result.theirs, "library"],
    ] as const;
    for (const [side, list, name] of index % 2 === 0 ? sides : sides.toReversed()) {
      const { ms } = await side(shape);
      list.push(ms);
      tell(`${what}, ${name}: ${Math.round(ms)} ms for ${shape.steps.length} steps`);
    }
  }
  return result;
};

const repeated = (shape: StepShape): readonly StepShape[] => Array.from({ length: rounds }, () => shape);
const sum = (list: readonly number[]): number => list.reduce((total, value) => total + value, 0);

const boundOf = ({ steps, concurrency }: StepShape): number => {
  const { longestWayMs, workMs } = boundsOf(steps);
  return Math.max(longestWayMs, workMs / concurrency);
};

const measure = async (folder: string, databaseUrl: (name: string) => string) => {
  const ours = refloatSide(folder);
  tell(`installing ${library}`);
  const theirs = await librarySide(folder, databaseUrl);
  const plans = await run("planning-program", ["10000", String(rounds + 2)]);
  const smallPlans = await run("planning-program", ["1000", String(rounds + 2)]);
  tell(`plans of 10,000 components: ${tookMs(plans).map(Math.round).join(", ")} ms`);

  const steps = await race("no-op steps, each after the one before", repeated(chain(noOps)), ours, theirs);
  const wide = await race("no-op steps, independent", repeated(independent(noOps)), ours, theirs);
  const limited = Array.from({ length: rounds }, (_none, index) => randomGraph(200, index + 1, 8));
  const unlimited = Array.from({ length: rounds }, (_none, index) => randomGraph(100, index + 101, 100));
  const timed = await race("timed steps, 8 at once", limited, ours, theirs);
  const free = await race("timed steps, no limit", unlimited, ours, theirs);
  const resumes: number[] = [];
  for (let round = 0; round < rounds; round += 1) resumes.push(await measureResume(folder, round));
  tell(`first step after a kill: ${resumes.map(Math.round).join(", ")} ms`);
  const small = await ours(independent(1_000));
  const large = await ours(independent(10_000));

  const bound = sum([...limited, ...unlimited].map(boundOf));
  return {
    bench: "orchestration",
    ratios: {
      makespan_vs_bound: rounded(sum([...timed.ours, ...free.ours]) / bound),
      library_makespan_vs_bound: rounded(sum([...timed.theirs, ...free.theirs]) / bound),
      steps_vs_library: rounded(median(steps.ours) / median(steps.theirs)),
      independent_steps_vs_library: rounded(median(wide.ours) / median(wide.theirs)),
    },
    figures: {
      plan_10000_ms: rounded(median(tookMs(plans)), 0),
      plan_1000_ms: rounded(median(tookMs(smallPlans)), 0),
      step_median_ms: rounded(median(steps.ours) / noOps),
      independent_step_median_ms: rounded(median(wide.ours) / noOps),
      library_step_median_ms: rounded(median(steps.theirs) / noOps),
      resume_ms: rounded(median(resumes), 0),
      plan_10000_peak_rss_mb: megabytes(plans),
      plan_1000_peak_rss_mb: megabytes(smallPlans),
      run_10000_peak_rss_mb: megabytes(large.measured),
      run_1000_peak_rss_mb: megabytes(small.measured),
      rounds,
      library,
    },
  };
};

const runBench = async () => {
  const folder = await mkdtemp(join(await realpath("/var/tmp"), "refloat-bench-orchestration-"));
  // PostgreSQL runs as another user than root and must be able to pass.
  await chmod(folder, 0o755);
  const server = await startPostgresServer({ directory: join(folder, "postgres"), durable: true });
  try {
    await buildPrograms();
    return await measure(folder, (name) => server.url(name));
  } finally {
    await server.stop();
    await rm(built, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }
};

const summary = await runBench();
if (!values.json) {
  const { figures, ratios } = summary;
  process.stdout.write(
    [
      `plan of 10,000 components ${figures.plan_10000_ms} ms; a step ${figures.step_median_ms} ms beside what it does, ${ratios.steps_vs_library} of the library's`,
      `a run takes ${ratios.makespan_vs_bound} of what no scheduler can beat; after a kill it goes on in ${figures.resume_ms} ms (medians of ${rounds}, one host)`,
      "",
    ].join("\n"),
  );
}
process.stdout.write(`${JSON.stringify(summary)}\n`);
