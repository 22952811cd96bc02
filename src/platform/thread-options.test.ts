import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { enableCompileCache, getCompileCacheDir } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { threadOptions } from "./thread-options.ts";

const askThread = async (): Promise<unknown> => {
  const script = `require("node:worker_threads").parentPort.postMessage(require("node:module").getCompileCacheDir() ?? null)`;
  const worker = new Worker(script, { eval: true, ...threadOptions() });
  const [answer] = await once(worker, "message");
  await worker.terminate();
  return answer;
};

it("lets a thread keep compiled code where the program keeps it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "refloat-compiled-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  enableCompileCache(folder);
  expect(getCompileCacheDir()).toBeDefined();
  expect(await askThread()).toBe(getCompileCacheDir());
});
