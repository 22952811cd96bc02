/** What a restore and a switch make of the names that they find, before they act; over real folders. */
import { mkdir } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { component } from "../../test/fixtures/shop.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { driverRegistry } from "../driver-registry.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { PlanStep } from "../model/plan.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { stepIdOf, testPlan, testStep } from "../testing/run-plans.ts";
import { createRestoreStep } from "./restore.ts";
import type { StepParts } from "./step-bench.ts";
import { createSwitchStep } from "./switch.ts";

let folder: TestFolder;

beforeEach(async () => {
  folder = await createTestFolder("refloat-names");
});

afterEach(async () => {
  await folder.remove();
});

const at = (name: string): string => `${folder.path}/${name}`;

const contextOf = (step: PlanStep, given: { readonly fromCopy?: boolean; readonly cutover?: boolean }): StepContext => {
  const { intent } = testPlan({ steps: [step] });
  const components = { docs: component("docs", "files", { options: { path: at("docs") } }) };
  return {
    plan: {
      ...intent,
      scope: ["docs"],
      cutover: given.cutover ?? true,
      declaration: { ...intent.declaration, components },
    },
    step,
    action: step.action,
    run: {
      number: 1 as RunNumber,
      uid: "00000000-0000-4000-8000-000000000001",
      fromCopy: given.fromCopy ?? false,
    },
    intents: new Map([[stepIdOf("restore:docs"), { instance: at("docs.r1"), retired: at("docs.old1") }]]),
    outputs: new Map(),
    marker: "refloat/1/docs/1",
    signal: new AbortController().signal,
  } as unknown as StepContext;
};

const parts = (): StepParts =>
  ({
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: {
      work: async () => ({ path: folder.path, remove: async () => undefined }),
      state: async () => folder.path,
    },
  }) as unknown as StepParts;

const makeFolders = async (names: readonly string[]): Promise<void> => {
  for (const name of names) await mkdir(at(name));
};

type Prepare<Handler extends { prepare: (context: never) => unknown }> = Parameters<Handler["prepare"]>[0];

const prepareSwitch = (given: { readonly fromCopy?: boolean } = {}) => {
  const step = testStep("switch:docs", "cutover", { kind: "switch", component: "docs" });
  const handler = createSwitchStep(parts());
  return handler.prepare(contextOf(step, given) as Prepare<typeof handler>);
};

const prepareRestore = (given: { readonly fromCopy?: boolean; readonly cutover?: boolean } = {}) => {
  const step = testStep("restore:docs", "restore", { kind: "restore", component: "docs" });
  const handler = createRestoreStep(parts());
  return handler.prepare(contextOf(step, given) as Prepare<typeof handler>);
};

const oldNameTaken = () => `${at("docs.old1")}, where the old side of docs is to go, is there already`;

describe("a switch", () => {
  /** Nothing bears the new side's name, and something the old side's. */
  const asIfExchanged = ["docs", "docs.old1"];

  it("is believed to have been made where a run was taken over from a copy, which may end before it", async () => {
    await makeFolders(asIfExchanged);
    const { before } = (await prepareSwitch({ fromCopy: true })) as { before: Record<string, unknown> };
    expect(before).toMatchObject({ outgoing: null, incoming: expect.any(String), stable: expect.any(String) });
  });

  it("is not believed to have been made where the run's own journal would know of it", async () => {
    await makeFolders(asIfExchanged);
    await expect(prepareSwitch()).rejects.toMatchObject({
      code: "cutover.conflict",
      message: `${at("docs.r1")}, which is to become docs, is not there`,
    });
  });

  it("is not begun where something else bears the name that the old side is to get", async () => {
    await makeFolders([...asIfExchanged, "docs.r1"]);
    await expect(prepareSwitch()).rejects.toMatchObject({ code: "cutover.conflict", message: oldNameTaken() });
  });
});

describe("a restore", () => {
  it("is not begun where a cutover would find the old side's name taken", async () => {
    await makeFolders(["docs", "docs.old1"]);
    await expect(prepareRestore()).rejects.toMatchObject({ code: "instance.exists", message: oldNameTaken() });
    const names = { instance: at("docs.r1"), retired: at("docs.old1") };
    // Without a cutover no side is put away; and the run of a copy may have put its own there.
    await expect(prepareRestore({ cutover: false })).resolves.toEqual(names);
    await expect(prepareRestore({ fromCopy: true })).resolves.toEqual(names);
  });
});
