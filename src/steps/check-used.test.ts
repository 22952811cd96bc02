/** What is used and does not answer in time is told, and is no failure of the step: users are on the new side by then. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseDeclaration } from "../core/declaration/parse-declaration.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { driverRegistry } from "../driver-registry.ts";
import type { RunNumber } from "../model/identifiers.ts";
import { silentLog } from "../platform/log.ts";
import { createDirectories } from "../platform/state-directories.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { testPlan, testStep } from "../testing/run-plans.ts";
import { createCheckUsedStep } from "./check-used.ts";
import type { Action, StepParts } from "./step-bench.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-check-used");
});
afterEach(() => folder.remove());

/** @param line of the check of what is used @param timeout of the step */
const asked = async (line: string, timeout: string, signal = new AbortController().signal) => {
  const text = `
vault: { url: ${folder.path}/vault, password: "\${env:UNUSED}" }
services:
  shop:
    components:
      files:
        type: files
        path: ${folder.path}
        checks:
          - command: ${line}
            timeout: 20s
`;
  const { declaration, diagnostics } = parseDeclaration(text, "refloat.yaml", driverRegistry);
  const service = declaration?.services["shop"];
  if (service === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const action: Action<"check-used"> = { kind: "check-used", component: "files" };
  const step = { ...testStep("check-used:files", "prove", action), rules: { timeout } };
  const context = {
    plan: { ...testPlan({ steps: [step] }).intent, declaration: service },
    step,
    action,
    run: { number: 1 as RunNumber, uid: "00000000-0000-4000-8000-000000000001", fromCopy: false },
    attempt: 1,
    intent: {},
    waited: null,
    outputs: new Map(),
    intents: new Map(),
    clock: systemClock,
    progress: () => undefined,
    marker: "refloat/1/check-used/1",
    signal,
  } as unknown as StepContext<Action<"check-used">>;
  const parts = {
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: createDirectories(`${folder.path}/state`),
  } as unknown as StepParts;
  return createCheckUsedStep(parts).apply(context);
};

it("tells what a check finds", async () => {
  expect(await asked("exit 3", "10s")).toMatchObject({
    kind: "done",
    output: { outcomes: [{ status: "failed", component: "files" }] },
  });
});

it("tells that nothing was answered before the step itself is out of time", async () => {
  expect(await asked("sleep 15", "1s")).toEqual({
    kind: "done",
    output: {
      outcomes: [
        {
          subject: "files",
          kind: "used",
          component: "files",
          status: "failed",
          found: "did not answer within 0.8s",
          durationMs: 800,
        },
      ],
    },
  });
});

it("ends where the run is told to stop", async () => {
  const stopped = new AbortController();
  const ended = asked("sleep 15", "10s", stopped.signal);
  setTimeout(() => stopped.abort(new Error("told to stop")), 200);
  await expect(ended).rejects.toThrow("told to stop");
});
