/**
 * Executes a graph of steps as a durable workflow of DBOS Transact: `library-program.ts MODULE DATABASE_URL SHAPE`. Writes how long it took.
 * Like ours, each step's result is on the disk before what needs it begins.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { shapeSchema } from "./step-shape.ts";

/** As much of the library as is used here: it is installed by the bench, for the bench. */
type Library = {
  readonly DBOS: {
    readonly setConfig: (config: { name: string; systemDatabaseUrl: string; logLevel: string }) => void;
    readonly launch: () => Promise<void>;
    readonly shutdown: () => Promise<void>;
    readonly runStep: (step: () => Promise<void>, options: { name: string }) => Promise<void>;
    readonly registerWorkflow: (workflow: () => Promise<void>, options: { name: string }) => () => Promise<void>;
  };
};

const [module = "", systemDatabaseUrl = "", shapeFile = ""] = process.argv.slice(2);
const { steps, concurrency } = shapeSchema.parse(JSON.parse(readFileSync(shapeFile, "utf8")));
const { DBOS } = (await import(module)) as Library;

const execute = DBOS.registerWorkflow(
  async () => {
    const limit = pLimit(concurrency);
    const ends = new Map<string, Promise<void>>();
    for (const { id, needs, durationMs } of steps) {
      const act = async (): Promise<void> => {
        if (durationMs > 0) await sleep(durationMs);
      };
      const begin = async (): Promise<void> => {
        await Promise.all(needs.map((need) => ends.get(need) ?? Promise.resolve()));
        await limit(() => DBOS.runStep(act, { name: id }));
      };
      ends.set(id, begin());
    }
    await Promise.all(ends.values());
  },
  { name: "graph" },
);
DBOS.setConfig({ name: "bench", systemDatabaseUrl, logLevel: "error" });
await DBOS.launch();
const beganMs = performance.now();
await execute();
const tookMs = performance.now() - beganMs;
await DBOS.shutdown();
process.stdout.write(`took ${tookMs}\n`);
