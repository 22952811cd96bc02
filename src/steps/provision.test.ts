/** What a provision step makes of what it finds, by real lines and a real terraform: nothing is made that the plan has not shown. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execaSync } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StepContext } from "../core/ports/engine.ts";
import { driverRegistry } from "../driver-registry.ts";
import type { StepId } from "../model/identifiers.ts";
import type { JsonObject } from "../model/json.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { stepIdOf, testPlan, testStep } from "../testing/run-plans.ts";
import { createProvisionStep } from "./provision.ts";
import { type StepParts, withStep } from "./step-bench.ts";

let folder: TestFolder;
let entry: JsonObject & { type: string };
let said: { says: "done" | "failed"; evidence: string; by: string }[];
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await createTestFolder("refloat-provision-step");
  said = [];
  entry = {
    type: "command",
    apply: `touch ${at("box")}`,
    inspect: `echo asked >> ${at("inspected")}; cat ${at("presence")} 2>/dev/null || { test -e ${at("box")} && echo done || echo absent; }`,
    destroy: `rm -f ${at("box")}`,
    outputs: { path: `echo asked >> ${at("read")}; echo ${at("box")}` },
  };
});
afterEach(() => folder.remove());

type Given = { readonly action?: JsonObject; readonly intent?: JsonObject; readonly outputs?: readonly StepId[] };
type Handler = ReturnType<typeof createProvisionStep>;
type Context = Parameters<Handler["prepare"]>[0];

const contextOf = ({ action = {}, intent = {}, outputs = [] }: Given): Context => {
  const step = testStep("provision:site", "restore", { kind: "provision", provision: "site", ...action });
  const { intent: plan } = testPlan({ steps: [step] });
  const { type, ...options } = entry;
  const provision = { site: { name: "site", type, checks: [], options } } satisfies ServiceDeclaration["provision"];
  return {
    plan: { ...plan, declaration: { ...plan.declaration, provision } },
    step,
    action: step.action,
    run: { number: 1, uid: "00000000-0000-4000-8000-000000000001", fromCopy: false },
    intent,
    intents: new Map(),
    outputs: new Map(outputs.map((id) => [id, {}])),
    words: async () => said,
    clock: systemClock,
    progress: () => undefined,
    marker: "refloat/1/provision:site/1",
    signal: new AbortController().signal,
  } as unknown as Context;
};

const parts = (): StepParts =>
  ({
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    person: async () => ({ name: "ada", roles: [] }),
    // Nobody sits at this terminal.
    attendant: { isThere: false, perform: async () => null },
    // As with --yes: that was said to the plan.
    approver: async () => ({ approved: true, by: "ada" }),
    directories: {
      work: async () => ({ path: folder.path, remove: async () => undefined }),
      state: async () => folder.path,
    },
  }) as unknown as StepParts;

const handler = (): Handler => createProvisionStep(parts());

describe("what was there when the plan was drawn", () => {
  it("is not made by a run in which it has gone: that was not shown", async () => {
    await expect(handler().prepare(contextOf({ action: { found: true } }))).rejects.toMatchObject({
      code: "provision.absent",
      message: "site was there when the plan was drawn, and is gone",
    });
    expect(await handler().prepare(contextOf({}))).toEqual({ found: false });
    expect(existsSync(at("box"))).toBe(false);
  });

  it("is not taken for whole once it is only half there", async () => {
    await writeFile(at("presence"), "partial\n");
    const context = contextOf({ action: { found: true }, intent: { found: true } });
    await expect(handler().apply(context)).rejects.toMatchObject({
      code: "provision.absent",
      message: "site was found, and is only half there by now: inspect says partial",
    });
  });
});

it("is asked once for all references of a step, and is not looked into anew once the run has seen to it", async () => {
  await writeFile(at("box"), "");
  const times = async (name: string): Promise<number> =>
    (await readFile(at(name), "utf8").catch(() => "")).split("asked").length - 1;
  const bindTwice = (context: StepContext) =>
    withStep(parts(), context, async (access) => {
      for (const text of ["${site.path}/a", "${site.path}/b"]) await access.bind(null)(text);
      return access.bind(null)("${site.path}");
    });
  expect(await bindTwice(contextOf({}))).toEqual({ value: at("box"), secret: false });
  expect([await times("inspected"), await times("read")]).toEqual([1, 1]);
  // Somebody has changed a detail of it meanwhile, in the middle of a cutover.
  await writeFile(at("presence"), "partial\n");
  await expect(bindTwice(contextOf({}))).rejects.toMatchObject({ code: "provision.absent" });
  expect(await bindTwice(contextOf({ outputs: [stepIdOf("provision:site")] }))).toMatchObject({ value: at("box") });
  expect([await times("inspected"), await times("read")]).toEqual([2, 2]);
});

const isInstalled = execaSync("terraform", ["version"], { reject: false }).exitCode === 0;
if (!isInstalled)
  process.stderr.write("SKIPPED: a plan of terraform that could not be shown, since it is not installed\n");

describe.skipIf(!isInstalled)("what could not be shown in the plan", { timeout: 300_000 }, () => {
  it("is made once a person has seen exactly that", async () => {
    const module = at("module");
    await mkdir(module);
    await writeFile(join(module, "main.tf"), 'resource "terraform_data" "x" {}\n');
    entry = { type: "terraform", directory: module };
    const apply = () => handler().apply(contextOf({ intent: { found: false } }));
    const waiting = await apply();
    expect(waiting).toMatchObject({
      kind: "waiting",
      for: "person",
      message: expect.stringContaining("# terraform_data.x will be created"),
    });
    const [, evidence = ""] = /--evidence (\w+)/.exec(waiting.kind === "waiting" ? waiting.message : "") ?? [];
    // A yes to another text is none.
    said = [{ says: "done", evidence: "looks good", by: "ada" }];
    expect(await apply()).toMatchObject({ kind: "waiting" });
    expect(existsSync(join(module, "terraform.tfstate"))).toBe(false);
    said = [{ says: "done", evidence, by: "ada" }];
    expect(await apply()).toMatchObject({ kind: "done", output: { summary: "1 resource made by terraform" } });
  });
});
