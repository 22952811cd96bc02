import { describe, expect, it } from "vitest";
import { recoveryInput } from "../../../test/fixtures/shop.ts";
import { testPlan, testStep } from "../../testing/run-plans.ts";
import type { Plan } from "../../model/plan.ts";
import type { ServiceEdge } from "../graph/service-graph.ts";
import { diffJointPlans } from "./diff-joint-plans.ts";
import { joinPlans } from "./join-plans.ts";
import { planRecovery } from "./plan-recovery.ts";

const identity = testPlan({
  service: "identity",
  steps: [
    testStep("restore:accounts", "restore", { kind: "restore", component: "accounts" }),
    testStep("switch:accounts", "cutover", { kind: "switch", component: "accounts" }, ["restore:accounts"]),
  ],
});

const edge = (from: string, to: string, path: ServiceEdge["path"], component: string | null = null): ServiceEdge => ({
  from,
  to,
  component,
  target: "accounts",
  via: "${identity.accounts.url}",
  path,
});

const appNeedsIdentity = edge("shop", "identity", ["components", "app", "environment", "ACCOUNTS"], "app");

const join = (edges: readonly ServiceEdge[], plans: readonly Plan[] = [identity, planRecovery(recoveryInput())]) =>
  joinPlans({ asked: "shop", plans, edges, leftAlone: [], now: "2026-03-01T16:00:00.000Z" });

const waiting = (edges: readonly ServiceEdge[]): readonly string[] =>
  join(edges).parts[1]?.intent.steps.flatMap(({ id, after }) =>
    after === undefined ? [] : [`${id} ${after.join(" ")}`],
  ) ?? [];

describe("plans of several services", () => {
  it("let wait what talks to the other service, and the cutover, and nothing that only moves data", () => {
    const waits = waiting([appNeedsIdentity]);
    expect(waits).toContain("try:app identity");
    expect(waits).toContain("hold identity");
    expect(waits.filter((step) => step.startsWith("restore:") || step.startsWith("check:"))).toEqual([]);
    expect(waits.filter((step) => /^(fence|switch|start|admit|probe)/.test(step))).toEqual([]);
  });

  it("let a database wait from its check on where a check names the other service, and before it is restored where its address does", () => {
    const check = ["components", "db", "checks", 0];
    expect(waiting([edge("shop", "identity", check, "db")])).not.toContain("restore:db identity");
    expect(waiting([edge("shop", "identity", check, "db")])).toContain("check:db identity");
    expect(waiting([edge("shop", "identity", ["components", "db", "url"], "db")])).toContain("restore:db identity");
  });

  it("let the cutover alone wait where only the way of its users names the other service", () => {
    expect(waiting([edge("shop", "identity", ["cutover", 0, "to"])])).toEqual(["hold identity"]);
  });

  it("wait for what stands behind a service that works and is no part", () => {
    const edges = [
      edge("shop", "portal", ["components", "app", "start"], "app"),
      edge("portal", "identity", ["probe"]),
    ];
    expect(waiting(edges)).toContain("try:app identity");
  });

  it("have one digest, over all of them and what they wait for", () => {
    const [alone, joined] = [join([]), join([appNeedsIdentity])];
    expect(join([appNeedsIdentity]).digest).toBe(joined.digest);
    expect(alone.digest).not.toBe(joined.digest);
    expect(diffJointPlans(alone, joined)).toMatchObject({ same: false, added: [], removed: [] });
    expect(diffJointPlans(alone, joined).parts[1]?.diff.steps).toContainEqual(
      expect.objectContaining({ step: "hold", change: "changed", parts: ["after"] }),
    );
    expect(diffJointPlans(joined, join([], [identity]))).toMatchObject({ removed: ["shop"] });
  });

  it("foretell when each service is there", () => {
    const shop = planRecovery(recoveryInput());
    const { forecast } = join([appNeedsIdentity], [identity, shop]);
    expect(forecast.spans.map(({ service }) => service)).toEqual(["identity", "shop"]);
    expect(forecast.totalMs).toBe(Math.max(...forecast.spans.map(({ toMs }) => toMs)));
    expect(forecast.totalMs).toBeGreaterThanOrEqual(shop.forecast.totalMs.likely - 1);
  });

  it("of an undo go the other way: what needs a service leaves it before it goes", () => {
    const undoes = { run: 1 as never, runUid: "", acceptLoss: false, exchanges: {}, releases: {} };
    const undo = (service: string) =>
      testPlan({
        service,
        undoes,
        steps: [
          testStep("capture", "restore", { kind: "capture" }),
          testStep("hold", "cutover", { kind: "hold" }, ["capture"]),
          testStep("probe", "prove", { kind: "probe" }, ["hold"]),
        ],
      });
    const { parts, intent } = join([appNeedsIdentity], [undo("shop"), undo("identity")]);
    expect(intent.purpose).toBe("undo");
    expect(parts.map((part) => part.intent.steps.map(({ after = [] }) => after))).toEqual([
      [[], [], []],
      [[], ["shop"], []],
    ]);
  });
});
