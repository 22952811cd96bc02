/** What a switch takes for done, over real folders. */
import { mkdir } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { component } from "../../test/fixtures/shop.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { driverRegistry } from "../driver-registry.ts";
import type { RunNumber } from "../model/identifiers.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { stepIdOf, testPlan, testStep } from "../testing/run-plans.ts";
import type { Action, StepParts } from "./step-bench.ts";
import { createSwitchStep } from "./switch.ts";

let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-switch");
});

afterEach(async () => {
  await folder.remove();
});

const at = (name: string): string => `${folder.path}/${name}`;

/** As if the names had been exchanged: nothing bears the new side's name, and something the old side's. */
const prepare = async (fromCopy: boolean) => {
  for (const name of ["docs", "docs.old1"]) await mkdir(at(name));
  const step = testStep("switch:docs", "cutover", { kind: "switch", component: "docs" });
  const { intent } = testPlan({ steps: [step] });
  const components = { docs: component("docs", "files", { options: { path: at("docs") } }) };
  const context = {
    plan: { ...intent, scope: ["docs"], declaration: { ...intent.declaration, components } },
    step,
    action: step.action as Action<"switch">,
    run: { number: 1 as RunNumber, uid: "00000000-0000-4000-8000-000000000001", fromCopy },
    intents: new Map([[stepIdOf("restore:docs"), { instance: at("docs.r1"), retired: at("docs.old1") }]]),
    outputs: new Map(),
    marker: "refloat/1/switch:docs/1",
    signal: new AbortController().signal,
  } as unknown as StepContext<Action<"switch">>;
  const parts = {
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: {
      work: async () => ({ path: folder.path, remove: async () => undefined }),
      state: async () => folder.path,
    },
  } as unknown as StepParts;
  return createSwitchStep(parts).prepare(context);
};

it("is believed to have been made where a run was taken over from a copy, which may end before it", async () => {
  const { before } = (await prepare(true)) as { before: Record<string, unknown> };
  expect(before).toMatchObject({ outgoing: null, incoming: expect.any(String), stable: expect.any(String) });
});

it("is not believed to have been made where the run's own journal would know of it", async () => {
  await expect(prepare(false)).rejects.toMatchObject({
    code: "cutover.conflict",
    message: `${at("docs.r1")}, which is to become docs, is not there`,
  });
});
