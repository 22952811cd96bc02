/** Step handlers of every kind with real effects on a FileWorld, and a place to interfere at each moment of each of them. */
import { mkdirSync, renameSync } from "node:fs";
import type { Presence } from "../core/ports/driver.ts";
import type { StepContext, StepHandler, StepHandlers, StepResult } from "../core/ports/engine.ts";
import type { JsonObject } from "../model/json.ts";
import type { StepAction, StepKind } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { FileWorld } from "./file-world.ts";

export type WorldMoment = "prepare" | "check" | "clear" | "apply" | "half" | "compensate";

/** Called before each act (and in the middle of a restore): may wait, throw, kill the process, or answer in place of the act. */
export type Intercept = (moment: WorldMoment, context: StepContext) => Promise<StepResult | undefined>;

export const nothingHappens: Intercept = async () => undefined;

type Acts = {
  readonly prepare?: (context: StepContext) => JsonObject;
  readonly check: (context: StepContext) => { readonly presence: Presence; readonly output?: JsonObject };
  readonly clear?: (context: StepContext) => void;
  readonly apply: (context: StepContext, intercept: Intercept) => Promise<StepResult> | StepResult;
  readonly compensate?: (context: StepContext) => void;
};

const done = (output: JsonObject = {}): StepResult => ({ kind: "done", output });
const seen = (there: boolean): { readonly presence: Presence } => ({ presence: there ? "done" : "absent" });

/** Steps without an effect of their own: they are done once their output is journaled. */
const byOutput = (context: StepContext): ReturnType<Acts["check"]> => seen(context.outputs.has(context.step.id));

const componentOf = (context: StepContext): string =>
  "component" in context.action ? context.action.component : "service";

const textOf = (context: StepContext, key: string): string => {
  const value = context.intent[key];
  if (typeof value !== "string") throw new RefloatError("bug", `the intent of ${context.step.id} has no ${key}`);
  return value;
};

const instanceOf = (context: StepContext): string => `store/${componentOf(context)}.r${context.run.number}`;

const observation = (world: FileWorld): Acts => ({
  check: byOutput,
  apply: (context) => {
    world.log(`apply ${context.step.id}`);
    return done({ seen: true });
  },
});

const restoreActs = (world: FileWorld): Acts => ({
  prepare: (context) => ({ instance: instanceOf(context) }),
  check: (context) => {
    if (world.has(instanceOf(context))) return { presence: "done", output: { instance: instanceOf(context) } };
    return { presence: world.has(`${instanceOf(context)}.part`) ? "partial" : "absent" };
  },
  clear: (context) => world.remove(`${instanceOf(context)}.part`),
  apply: async (context, intercept) => {
    const part = `${instanceOf(context)}.part`;
    mkdirSync(world.path(part));
    world.write(`${part}/first`, "1");
    await intercept("half", context);
    world.write(`${part}/second`, "2");
    renameSync(world.path(part), world.path(instanceOf(context)));
    world.log(`apply ${context.step.id}`);
    return done({ instance: instanceOf(context) });
  },
  compensate: (context) => {
    if (world.linkOf(componentOf(context)).endsWith(instanceOf(context)))
      throw new RefloatError("bug", `${instanceOf(context)} serves and must not be dropped`);
    world.remove(`${instanceOf(context)}.part`);
    world.remove(instanceOf(context));
  },
});

const saveLostActs = (world: FileWorld): Acts => {
  const file = (context: StepContext): string => `lost/${context.step.id.replaceAll(":", "-")}`;
  return {
    check: (context) => seen(world.has(file(context))),
    apply: (context) => {
      world.write(file(context), "rows");
      world.log(`apply ${context.step.id}`);
      return done();
    },
    compensate: (context) => world.remove(file(context)),
  };
};

const migrateActs = (world: FileWorld): Acts => ({
  check: () => seen(world.has("store/db.migrated")),
  apply: (context) => {
    world.write("store/db.migrated", "");
    world.log(`apply ${context.step.id}`);
    return done();
  },
  compensate: () => world.remove("store/db.migrated"),
});

const tryActs = (world: FileWorld): Acts => ({
  check: byOutput,
  apply: (context) => {
    world.write("running/app.try", "");
    world.remove("running/app.try");
    world.log(`apply ${context.step.id}`);
    return done();
  },
  compensate: () => world.remove("running/app.try"),
});

const holdActs = (world: FileWorld): Acts => ({
  prepare: () => ({ before: world.read("traffic") }),
  check: () => seen(world.read("traffic") === "held"),
  apply: (context) => {
    world.write("traffic", "held");
    world.log(`apply ${context.step.id}`);
    return done();
  },
  compensate: (context) => world.write("traffic", textOf(context, "before")),
});

const fenceActs = (world: FileWorld): Acts => ({
  check: () => seen(!world.has("running/app.old")),
  apply: (context) => {
    world.remove("running/app.old");
    world.log(`apply ${context.step.id}`);
    return done();
  },
  compensate: () => world.write("running/app.old", ""),
});

const switchActs = (world: FileWorld): Acts => {
  const sideOf = (context: StepContext): "before" | "after" => {
    const now = world.linkOf(componentOf(context));
    if (now === context.intent["before"]) return "before";
    if (now === context.intent["after"]) return "after";
    throw new RefloatError("cutover.conflict", `${componentOf(context)} stands for ${now}`);
  };
  /** By which an undo finds them. */
  const sides = (context: StepContext) => ({ incoming: textOf(context, "after"), outgoing: textOf(context, "before") });
  return {
    prepare: (context) => ({ before: world.linkOf(componentOf(context)), after: `../${instanceOf(context)}` }),
    check: (context) => ({ ...seen(sideOf(context) === "after"), output: { asked: true, ...sides(context) } }),
    apply: (context) => {
      if (!world.has(instanceOf(context))) throw new RefloatError("cutover.conflict", `${instanceOf(context)} is gone`);
      world.relink(componentOf(context), textOf(context, "after"));
      world.log(`apply ${context.step.id}`);
      return done({ applied: true, ...sides(context) });
    },
    compensate: (context) => {
      if (sideOf(context) === "after") world.relink(componentOf(context), textOf(context, "before"));
    },
  };
};

const startActs = (world: FileWorld): Acts => ({
  check: () => seen(world.has("running/app.new")),
  apply: (context) => {
    world.write("running/app.new", "");
    world.log(`apply ${context.step.id}`);
    return done();
  },
  compensate: () => world.remove("running/app.new"),
});

const admitActs = (world: FileWorld): Acts => ({
  check: () => seen(world.read("traffic") === "new"),
  apply: (context) => {
    world.write("traffic", "new");
    world.log(`apply ${context.step.id}`);
    return done();
  },
  compensate: () => world.write("traffic", "held"),
});

const probeActs = (world: FileWorld): Acts => ({
  check: byOutput,
  apply: (context) => {
    world.log(`apply ${context.step.id}`);
    return world.serving === "new"
      ? done({ status: 200 })
      : { kind: "failed", message: `the service is served by ${world.serving}`, output: {} };
  },
});

const actsOf = (world: FileWorld): Readonly<Record<StepKind, Acts>> => ({
  capture: observation(world),
  provision: observation(world),
  teardown: observation(world),
  restore: restoreActs(world),
  "save-lost": saveLostActs(world),
  drop: observation(world),
  retire: observation(world),
  reinstate: observation(world),
  check: observation(world),
  "check-invariant": observation(world),
  "check-used": observation(world),
  migrate: migrateActs(world),
  try: tryActs(world),
  approve: observation(world),
  manual: observation(world),
  wait: observation(world),
  hold: holdActs(world),
  isolate: observation(world),
  fence: fenceActs(world),
  switch: switchActs(world),
  start: startActs(world),
  reload: observation(world),
  admit: admitActs(world),
  probe: probeActs(world),
});

export type WorldHandlerOptions = {
  readonly intercept?: Intercept;
  readonly timeoutMs?: number;
  readonly retries?: number;
};

export const createWorldHandlers = (
  world: FileWorld,
  { intercept = nothingHappens, timeoutMs = 60_000, retries = 2 }: WorldHandlerOptions = {},
): StepHandlers => {
  const handler = (kind: StepKind, acts: Acts): StepHandler => ({
    kind,
    timeoutMs,
    retries,
    prepare: async (context) => {
      await intercept("prepare", context);
      return acts.prepare?.(context) ?? {};
    },
    check: async (context) => {
      await intercept("check", context);
      return acts.check(context);
    },
    clear: async (context) => {
      await intercept("clear", context);
      acts.clear?.(context);
      world.log(`clear ${context.step.id}`);
    },
    apply: async (context) => {
      const answer = await intercept("apply", context);
      if (answer !== undefined) return answer;
      world.begin(context.step.id);
      return acts.apply(context, intercept);
    },
    compensate: async (context) => {
      await intercept("compensate", context);
      acts.compensate?.(context);
      world.log(`compensate ${context.step.id}`);
    },
  });
  return Object.fromEntries(
    Object.entries(actsOf(world)).map(([kind, acts]) => [kind, handler(kind as StepAction["kind"], acts)]),
  ) as unknown as StepHandlers;
};
