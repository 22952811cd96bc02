/** Plans for tests of the engine and the journal: valid, with a true digest, around whatever steps a test needs. */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { PlanDigest, StepId } from "../model/identifiers.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import type { Phase, Plan, PlanIntent, PlanStep, StepAction } from "../model/plan.ts";

export const stepIdOf = (text: string): StepId => text as StepId;

export const testStep = (id: string, phase: Phase, action: StepAction, needs: readonly string[] = []): PlanStep => ({
  id: stepIdOf(id),
  phase,
  needs: needs.map(stepIdOf),
  action,
});

export type TestPlanOptions = {
  readonly service?: string;
  readonly steps: readonly PlanStep[];
  /** Expected duration per step id, in ms. */
  readonly durations?: Readonly<Record<string, number>>;
  readonly undoes?: PlanIntent["undoes"];
  readonly declared?: Partial<PlanIntent["declaration"]>;
};

export const testPlan = ({
  service = "shop",
  steps,
  durations = {},
  undoes = null,
  declared = {},
}: TestPlanOptions): Plan => {
  const intent: PlanIntent = {
    schemaVersion: 1,
    purpose: undoes === null ? "recover" : "undo",
    service,
    declaration: {
      name: service,
      owners: [],
      objectives: {},
      components: {},
      invariants: {},
      cutover: [],
      ...declared,
    },
    point: null,
    undoes,
    scope: [],
    rebound: [],
    cutover: true,
    steps: steps.map((step) => ({ ...step, needs: [...step.needs] })),
  };
  const text = canonicalize(intent) ?? "";
  return {
    digest: createHash("sha256").update(text).digest("hex") as PlanDigest,
    intent,
    forecast: {
      at: "2026-03-01T16:00:00.000Z",
      asked: null,
      waves: [],
      criticalPath: [],
      steps: Object.fromEntries(
        steps.map(({ id }) => [id, { title: id, what: id, durationMs: durations[id] ?? null, basis: "default" }]),
      ),
      totalMs: { likely: 0, low: 0, high: 0, runs: 0 },
      heldMs: 0,
      loses: [],
      keeps: [],
      closer: null,
      space: [],
      warnings: [],
    },
  };
};

/**
 * The whole course of a recovery of a database and an application, as the planner makes it: two restores at once, checks, a
 * yes, and the cutover in its order.
 */
export const recoverySteps: readonly PlanStep[] = [
  testStep("restore:db", "restore", { kind: "restore", component: "db" }),
  testStep("restore:files", "restore", { kind: "restore", component: "files" }),
  testStep("save-lost:db:early", "restore", { kind: "save-lost", component: "db", stage: "early" }, ["restore:db"]),
  testStep("check:db", "validate", { kind: "check", component: "db" }, ["restore:db"]),
  testStep("check:files", "validate", { kind: "check", component: "files" }, ["restore:files"]),
  testStep("migrate:app", "validate", { kind: "migrate", component: "app", release: "kept" }, ["check:db"]),
  testStep("try:app", "validate", { kind: "try", component: "app", release: "kept" }, ["migrate:app", "check:files"]),
  testStep("approve", "decide", { kind: "approve", reason: "cut over" }, ["try:app", "save-lost:db:early"]),
  testStep("hold", "cutover", { kind: "hold" }, ["approve"]),
  testStep("fence:app", "cutover", { kind: "fence", component: "app" }, ["hold"]),
  testStep("save-lost:db:final", "cutover", { kind: "save-lost", component: "db", stage: "final" }, ["fence:app"]),
  testStep("switch:db", "cutover", { kind: "switch", component: "db" }, ["save-lost:db:final"]),
  testStep("switch:files", "cutover", { kind: "switch", component: "files" }, ["fence:app"]),
  testStep("start:app", "cutover", { kind: "start", component: "app", release: "kept" }, ["switch:db", "switch:files"]),
  testStep("admit", "cutover", { kind: "admit" }, ["start:app"]),
  testStep("probe", "prove", { kind: "probe" }, ["admit"]),
];

/** Of a service that the one above needs: a database, and nothing that holds traffic. */
export const neededSteps: readonly PlanStep[] = [
  testStep("restore:accounts", "restore", { kind: "restore", component: "accounts" }),
  testStep("check:accounts", "validate", { kind: "check", component: "accounts" }, ["restore:accounts"]),
  testStep("switch:accounts", "cutover", { kind: "switch", component: "accounts" }, ["check:accounts"]),
];

/** Both of them, as the planner joins them: the trial and the cutover of the shop wait for what it needs. */
export const jointRecoveryPlan = (
  declared: Readonly<Record<string, Partial<PlanIntent["declaration"]>>> = {},
): JointPlan => {
  const waiting = new Set(["try:app", "hold"]);
  const parts = [
    testPlan({ service: "identity", steps: neededSteps, declared: declared["identity"] ?? {} }),
    testPlan({
      steps: recoverySteps.map((step) => (waiting.has(step.id) ? { ...step, after: ["identity"] } : step)),
      declared: declared["shop"] ?? {},
    }),
  ];
  const intent: JointPlan["intent"] = {
    schemaVersion: 1,
    purpose: "recover",
    asked: "shop",
    parts: parts.map(({ digest }) => digest),
  };
  const text = canonicalize(intent) ?? "";
  return {
    digest: createHash("sha256").update(text).digest("hex") as PlanDigest,
    intent,
    forecast: { at: "2026-03-01T16:00:00.000Z", totalMs: 0, spans: [], leftAlone: [] },
    parts,
  };
};

export const recoveryPlan = (): Plan => testPlan({ steps: recoverySteps });
