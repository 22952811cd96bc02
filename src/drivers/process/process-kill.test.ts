/** SIGKILL at every effect of a start and of a stop: there is never a second process of one name, and a repeat finishes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findFreePort } from "../../testing/free-port.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RuntimeOperations } from "../../core/ports/driver.ts";
import { isPortOpen } from "../../platform/port-owner.ts";
import { findByEnvironment, signalProcess } from "../../platform/process-table.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import type { ProcessAct } from "../../testing/process-act-program.ts";
import { writeSampleRelease } from "../../testing/sample-application.ts";
import { processBundle } from "./process-bundle.ts";

const runtime = processBundle.components[0]?.runtime as RuntimeOperations;
const program = fileURLToPath(new URL("../../testing/process-act-program.ts", import.meta.url));
const mostPoints = 40;

/** Each point starts a program of its own, on a machine that may be busy. */
vi.setConfig({ testTimeout: 600_000 });

let folder: TestFolder;
let release: string;
let states: string[];

beforeEach(async () => {
  folder = await createTestFolder("refloat-kill");
  release = join(folder.path, "app");
  await writeSampleRelease(release, "1.0.0");
  states = [];
});
afterEach(async () => {
  for (const state of states)
    for (const one of findByEnvironment({ REFLOAT_STATE: state })) signalProcess(one, "SIGKILL");
  await folder.remove();
});

/** A state folder of its own for each point, so that no point sees what an earlier one left. */
const createScene = async (point: number, mode: string): Promise<ProcessAct["context"] & { readonly port: number }> => {
  const state = join(folder.path, String(point));
  await mkdir(state);
  states.push(state);
  const port = await findFreePort();
  return {
    port,
    folder: state,
    values: { "self.port": String(port) },
    options: {
      release,
      start: `'${process.execPath}' server.js`,
      ports: port,
      environment: { PORT: "${self.port}", MODE: mode },
      stopTimeout: "300ms",
    },
  };
};

const runKilled = async (request: ProcessAct, at: number): Promise<"killed" | "ended"> => {
  const file = join(request.context.folder, "request.json");
  await writeFile(file, JSON.stringify(request));
  const child = spawn(process.execPath, [program, file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, KILL_AT: String(at) },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (signal === "SIGKILL") return "killed";
  expect({ code, said }).toEqual({ code: 0, said: "" });
  return "ended";
};

/** Processes of the instance that are nobody's child among themselves: more than one means that it was started twice. */
const leaders = (state: string): number => {
  const rows = findByEnvironment({ REFLOAT_STATE: state });
  return rows.filter((row) => !rows.some(({ pid }) => pid === row.parent)).length;
};

test("a start that is killed anywhere is taken up by the next one, and nothing runs twice", async () => {
  let points = 0;
  for (let point = 1, end = "killed"; end === "killed"; point++) {
    expect(point).toBeLessThan(mostPoints);
    const scene = await createScene(point, "");
    const request = { name: "app_r42", release, port: scene.port };
    end = await runKilled({ context: scene, act: { kind: "start", ...request } }, point);
    const context = createTestContext(scene);
    expect(leaders(scene.folder)).toBeLessThanOrEqual(1);
    const left = await runtime.find(context, "app_r42");
    const running = await runtime.start(context, request);
    expect(leaders(scene.folder)).toBe(1);
    expect(await runtime.alive(context, running)).toBe(true);
    expect(isPortOpen(scene.port)).toBe(true);
    // What the killed start had spawned was taken over and not started again: it is the process or its parent shell.
    expect(left === null || (await runtime.alive(context, left))).toBe(true);
    await runtime.stop(context, running);
    expect(leaders(scene.folder)).toBe(0);
    points = point - 1;
  }
  expect(points).toBeGreaterThanOrEqual(4);
});

test("a stop that is killed anywhere is ended by the next one", async () => {
  let points = 0;
  for (let point = 1, end = "killed"; end === "killed"; point++) {
    expect(point).toBeLessThan(mostPoints);
    const scene = await createScene(point, "ignore-term,children");
    const context = createTestContext(scene);
    const running = await runtime.start(context, { name: "app_r42", release, port: scene.port });
    end = await runKilled({ context: scene, act: { kind: "stop", running } }, point);
    await runtime.stop(context, running);
    expect(findByEnvironment({ REFLOAT_STATE: scene.folder })).toEqual([]);
    expect(isPortOpen(scene.port)).toBe(false);
    points = point - 1;
  }
  expect(points).toBeGreaterThanOrEqual(4);
});
