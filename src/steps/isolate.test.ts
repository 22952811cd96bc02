/** How often a fence's command is begun and its release is called, and by what; real lines, a real folder as the power switch. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StepContext } from "../core/ports/engine.ts";
import { driverRegistry } from "../driver-registry.ts";
import type { RunNumber } from "../model/identifiers.ts";
import type { JsonObject } from "../model/json.ts";
import type { SpokenWord } from "../model/run-word.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { testPlan, testStep } from "../testing/run-plans.ts";
import { createIsolateStep } from "./isolate.ts";
import { type Action, type StepParts, stepId } from "./step-bench.ts";

let folder: TestFolder;
let warnings: string[];

beforeEach(async () => {
  folder = await createTestFolder("refloat-isolate");
  warnings = [];
});
afterEach(() => folder.remove());

const at = (name: string): string => `${folder.path}/${name}`;
const lines = (name: string): number =>
  existsSync(at(name)) ? readFileSync(at(name), "utf8").split("\n").length - 1 : 0;

/** Of a machine that is off where `off` is there; `broken` keeps the switch from reaching it. */
const fence = (more: Partial<Action<"isolate">> = {}): Action<"isolate"> => ({
  kind: "isolate",
  name: "old primary",
  command: `echo >> ${at("commands")}; test ! -e ${at("broken")} || { echo no route >&2; exit 1; }; touch ${at("off")}`,
  proof: `test -e ${at("off")}`,
  release: `echo >> ${at("releases")}; rm ${at("off")}`,
  ...more,
});

const unproven = (): Action<"isolate"> => {
  const { proof: _proof, ...rest } = fence();
  return rest;
};

type Given = Partial<Pick<StepContext, "attempt" | "intent" | "waited">> & { readonly words?: readonly SpokenWord[] };

const contextOf = (action: Action<"isolate">, { words = [], ...given }: Given = {}): StepContext<Action<"isolate">> => {
  const step = testStep("isolate:old-primary", "cutover", action);
  return {
    plan: testPlan({ steps: [step] }).intent,
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
    words: async () => words,
    say: async () => undefined,
    warn: async (message: string) => void warnings.push(message),
    marker: "refloat/1/isolate/1",
    signal: new AbortController().signal,
    ...given,
  } as unknown as StepContext<Action<"isolate">>;
};

const step = () =>
  createIsolateStep({
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    directories: { work: async () => ({ path: folder.path, remove: async () => undefined }) },
    person: async () => ({ name: "anna", roles: [] }),
    attendant: { isThere: false, perform: async () => null },
  } as unknown as StepParts);

/** As the engine makes an attempt: the check before the effect. */
const attempt = async (action: Action<"isolate">, given: Given = {}) => {
  const context = contextOf(action, given);
  const { presence } = await step().check(context);
  return presence === "done" ? null : step().apply(context);
};

const anna = (says: "done" | "failed"): SpokenWord => ({
  says,
  by: "anna",
  roles: [],
  step: stepId("isolate:old-primary"),
  evidence: "saw the plug",
  at: "2026-03-01T16:00:00Z",
});

/** What a first attempt that cannot reach the machine leaves for the next one. */
const waitedFor = async (action: Action<"isolate">): Promise<JsonObject> => {
  writeFileSync(at("broken"), "");
  const waiting = await attempt(action);
  if (waiting?.kind !== "waiting" || waiting.keep === undefined) return expect.fail("it does not wait");
  return waiting.keep;
};

it("waits for a person, with the reason, where what is declared cannot be used", async () => {
  const unusable = { kind: "isolate", name: "old primary", unusable: "the token is gone" } as const;
  const waiting = await attempt(unusable);
  expect(waiting).toMatchObject({
    kind: "waiting",
    for: "person",
    message: expect.stringContaining("old primary is not proven to be dead (the token is gone)"),
  });
  expect(await attempt(unusable, { attempt: 2, words: [anna("done")] })).toMatchObject({
    kind: "done",
    output: { by: "anna", evidence: "saw the plug", why: "the token is gone" },
  });
});

it("believes the proof where only the command cannot be used, before a person and after one has switched it off", async () => {
  const unusable = {
    kind: "isolate",
    name: "old primary",
    unusable: "the token is gone",
    proof: `test -e ${at("off")}`,
  } as const;
  expect(await attempt(unusable)).toMatchObject({
    kind: "waiting",
    message: expect.stringContaining("(the token is gone, and its proof fails)"),
  });
  expect(await attempt(unusable, { attempt: 2, words: [anna("done")] })).toMatchObject({
    kind: "done",
    output: { by: "anna" },
  });
  writeFileSync(at("off"), "");
  expect(await step().check(contextOf(unusable, { attempt: 2 }))).toEqual({
    presence: "done",
    output: { how: "its proof passes" },
  });
});

describe("a command that could not reach the old side", () => {
  it("is not given again once a person has answered, with a proof too", async () => {
    const waited = await waitedFor(fence());
    const answered = await attempt(fence(), { attempt: 2, waited, words: [anna("done")] });
    expect(answered).toMatchObject({
      kind: "done",
      output: {
        by: "anna",
        evidence: "saw the plug",
        why: expect.stringMatching(/^its command failed: .*no route/) as string,
      },
    });
    expect(lines("commands")).toBe(1);
    const refused = await attempt(fence(), { attempt: 2, waited, words: [anna("failed")] });
    expect(refused).toMatchObject({ kind: "failed" });
    expect(lines("commands")).toBe(1);
  });

  it("is told as what it ended with, not as one whose end nobody knows", async () => {
    const waited = await waitedFor(unproven());
    const again = await attempt(unproven(), { attempt: 2, waited });
    expect(again).toMatchObject({
      kind: "waiting",
      message: expect.stringContaining("no route") as string,
      keep: waited,
    });
    expect(lines("commands")).toBe(1);
    const killed = await attempt(unproven(), { attempt: 2 });
    expect(killed).toMatchObject({ message: expect.stringContaining("how it ended is not known") as string });
    expect(lines("commands")).toBe(1);
  });
});

describe("a cutover that is taken back", () => {
  const takeBack = async (action: Action<"isolate">): Promise<void> => {
    const intent = await step().prepare(contextOf(action));
    await attempt(action, { intent });
    await step().compensate(contextOf(action, { intent }));
  };

  it("lets what its command has switched off work again", async () => {
    await takeBack(fence());
    expect([lines("commands"), lines("releases"), existsSync(at("off"))]).toEqual([1, 1, false]);
  });

  it("leaves off what was off before it", async () => {
    writeFileSync(at("off"), "");
    await takeBack(fence());
    expect([lines("commands"), lines("releases"), existsSync(at("off"))]).toEqual([0, 0, true]);
    expect(warnings).toEqual(["old primary stays fenced off: it was before the run; let it work again by hand"]);
  });
});
