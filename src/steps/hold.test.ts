/** That held traffic is let go on at each entry that can be reached, whatever becomes of the others. */
import { expect, it } from "vitest";
import type { TrafficDriver } from "../core/ports/traffic.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { testPlan, testStep } from "../testing/run-plans.ts";
import { createHoldStep } from "./hold.ts";
import type { StepParts } from "./step-bench.ts";

type Context = Parameters<ReturnType<typeof createHoldStep>["compensate"]>[0];

it("lets users of every entry go on when it is taken back, though one before them does not answer", async () => {
  const admitted: string[] = [];
  const driver = {
    kind: "pooler",
    admit: async (_context: unknown, { name }: { readonly name: string }, to: string) => {
      if (name === "dead") throw new RefloatError("source.unreachable", "dead does not answer");
      admitted.push(`${name} to ${to}`);
    },
  } as unknown as TrafficDriver;
  const step = testStep("hold", "cutover", { kind: "hold" });
  const names = ["dead", "first", "held before", "second"];
  const { intent: plan } = testPlan({
    steps: [step],
    declared: { cutover: names.map((name) => ({ kind: "pooler", options: { name } })) },
  });
  const context = {
    plan,
    step,
    action: step.action,
    run: { number: 1, uid: "00000000-0000-4000-8000-000000000001", fromCopy: false },
    intent: {
      entries: names.map((name) => ({ kind: "pooler", address: "10.0.0.1:5432", admitted: name !== "held before" })),
    },
    intents: new Map(),
    outputs: new Map(),
    marker: "refloat/1/hold/1",
    progress: () => undefined,
    signal: new AbortController().signal,
  } as unknown as Context;
  const registry = { traffic: new Map([["pooler", driver]]) };
  const directories = { work: async () => ({ path: "/nowhere", remove: async () => undefined }) };
  const parts = { registry, directories, clock: systemClock, log: silentLog } as unknown as StepParts;
  await expect(createHoldStep(parts).compensate(context)).rejects.toMatchObject({ code: "source.unreachable" });
  expect(admitted).toEqual(["first to 10.0.0.1:5432", "second to 10.0.0.1:5432"]);
});
