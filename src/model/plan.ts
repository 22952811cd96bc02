/**
 * A recovery plan: pure data, computed by core/planner from a recovery point, a declaration and a request.
 * The engine, the printed plan, the runbook and a drill all read this and nothing else.
 *
 * `intent` is what will be done; its canonical JSON gives the digest. `forecast` is what we expect of it (sizes, durations,
 * losses, warnings); it may differ between two looks at the same intent.
 */
import { z } from "zod";
import { serviceDeclarationSchema } from "./declaration.ts";
import { positionSchema } from "./facts.ts";
import { nameSchema, planDigestSchema, pointIdSchema, runNumberSchema, stepIdSchema } from "./identifiers.ts";
import { alignmentSchema } from "./mark.ts";
import { capturedComponentSchema, compositionSchema } from "./manifest.ts";
import { stepRulesSchema } from "./step-rules.ts";

/** Where a process component's release comes from: the one that is live (kept), or the one in the point (restored). */
export const releaseSourceSchema = z.enum(["kept", "restored"]);

/** Of a failback: the side that users leave, declared by the plan of the run that led there. Home, or the only side there is, when left out. */
const side = z.literal("away").optional();

/** Of a failback: `final` works with the last point, behind hold and fence; without a stage it is the first point, taken while users work. */
const final = z.literal("final").optional();

/**
 * Names of the things that a step makes are symbolic: `{run}` stands for the run number, which is given when the plan is
 * executed, so that two looks at one plan have one digest.
 */
export const stepActionSchema = z.discriminatedUnion("kind", [
  /**
   * Undo after writes: take a point of the side that is about to be left. `final`: once more when nobody writes any more, if anything was
   * written since the first, which makes it short. Without a stage it is the first.
   */
  z.object({ kind: z.literal("capture"), stage: final, side }),
  /** See that what the service needs is there, and make it where it is not. What was there before is used and never torn down. */
  z.object({
    kind: z.literal("provision"),
    provision: nameSchema,
    /** It was there when the plan was drawn: nothing is made of it, and a run in which it has gone ends. */
    found: z.literal(true).optional(),
    /** SHA-256 of what was shown of it in full, where there is more than a line: it is made only if that is still so. */
    shown: z.string().optional(),
  }),
  /** Remove what `provision` of this run has made, and nothing that was there before. */
  z.object({ kind: z.literal("teardown"), provision: nameSchema }),
  /** Restore the component's data from the vault to a new location. Never touches the live side. */
  z.object({ kind: z.literal("restore"), component: nameSchema, stage: final }),
  /** Drop the instance that was restored from the first point, where something was written since: it is restored anew from the last one. */
  z.object({ kind: z.literal("drop"), component: nameSchema }),
  /**
   * Export what was written to the live side after the point and is not in the restored instance.
   * `early`: while the service still runs, to show and to save. `final`: after the fence; also moves sequences of the new side past the old side's.
   */
  z.object({ kind: z.literal("save-lost"), component: nameSchema, stage: z.enum(["early", "final"]) }),
  /** Compare the instance with the point's facts and run the component's declared checks on it. */
  z.object({ kind: z.literal("check"), component: nameSchema, stage: final }),
  z.object({ kind: z.literal("check-invariant"), invariant: nameSchema, stage: final }),
  /**
   * Try the release on the restored data; where its checks fail, run its declared `migrate` command against the restored
   * instance. Done without effect where the checks already pass.
   */
  z.object({ kind: z.literal("migrate"), component: nameSchema, release: releaseSourceSchema }),
  /** Start the release beside the live one, on a free port, bound to the restored instances; run its checks; stop it again. */
  z.object({
    kind: z.literal("try"),
    component: nameSchema,
    release: releaseSourceSchema,
    /** Invariants that are asked by way of it. */
    invariants: z.array(nameSchema).optional(),
  }),
  z.object({
    kind: z.literal("approve"),
    reason: z.string(),
    /** Users or groups of the system who may say yes; anybody when left out. */
    by: z.array(z.string()).optional(),
    /** How many different people must; one when left out. */
    count: z.int().positive().optional(),
    /** How long a yes holds. */
    expires: z.string().optional(),
  }),
  /** A person does it, and says what was seen. */
  z.object({
    kind: z.literal("manual"),
    name: z.string(),
    do: z.string(),
    expect: z.string().optional(),
    takes: z.string().optional(),
  }),
  /** Nothing but the wait for all that comes before: where many steps need many others, the plan names it instead of each with each. */
  z.object({ kind: z.literal("wait"), for: z.enum(["validated", "fenced", "switched", "served"]) }),
  /** Stop traffic to the old side at each `cutover:` entry. From here on users notice. */
  z.object({ kind: z.literal("hold"), side }),
  /**
   * Keep an old side that no component stops, such as a server that does not answer, from acknowledging a write: by a command with its
   * proof, or by the word of a named person.
   */
  z.object({
    kind: z.literal("isolate"),
    name: z.string(),
    command: z.string().optional(),
    proof: z.string().optional(),
    release: z.string().optional(),
    expect: z.string().optional(),
    /** Why what is declared of it cannot be used. */
    unusable: z.string().optional(),
  }),
  /** Stop the old writer and prove that it is gone. */
  z.object({ kind: z.literal("fence"), component: nameSchema, side }),
  /**
   * Put what stands behind the component's name on the side that is left beside it, closed to all, and prove that nothing was written to it
   * after the point that is at home. Nothing stands behind the name afterwards.
   */
  z.object({ kind: z.literal("retire"), component: nameSchema }),
  /** The undo of a failback: put back behind its name what `retire` has put away. */
  z.object({ kind: z.literal("reinstate"), component: nameSchema }),
  /** Put the incoming object behind the component's stable name, by compare-and-set on observed identities. */
  z.object({ kind: z.literal("switch"), component: nameSchema }),
  /** Start the release bound to the stable names, on the port where the new side will serve; its checks are the private door. */
  z.object({
    kind: z.literal("start"),
    component: nameSchema,
    release: releaseSourceSchema,
    /** Invariants that are asked by way of it, and could not be before. */
    invariants: z.array(nameSchema).optional(),
    side,
  }),
  /** Run the declared reload command after a component's files have been switched. */
  z.object({ kind: z.literal("reload"), component: nameSchema }),
  /** Let traffic in at each `cutover:` entry: the last act. */
  z.object({ kind: z.literal("admit"), side }),
  /** Ask the stable name as a user would until it answers right. */
  z.object({ kind: z.literal("probe"), side }),
  /** Ask a component that others use while they run, and that was not started here, what is declared of it. */
  z.object({ kind: z.literal("check-used"), component: nameSchema }),
]);
export type StepAction = z.infer<typeof stepActionSchema>;
export type StepKind = StepAction["kind"];

/** Before `cutover` nothing live is touched. In `cutover` a failure is undone automatically until `admit` has begun. */
export const phaseSchema = z.enum(["restore", "validate", "decide", "cutover", "prove"]);
export type Phase = z.infer<typeof phaseSchema>;

export const planStepSchema = z.object({
  id: stepIdSchema,
  phase: phaseSchema,
  needs: z.array(stepIdSchema),
  /** Of a joint plan: services that must be there before the step begins. Absent where it waits for none. */
  after: z.array(nameSchema).optional(),
  action: stepActionSchema,
  /** What an edit of the run has changed of how the step is executed. Absent in a plan as it was made. */
  rules: stepRulesSchema.optional(),
});
export type PlanStep = z.infer<typeof planStepSchema>;

/** A component goes on from the point by its log. The position counts; the moment is what it stands for. */
export const plannedReplaySchema = z.object({
  line: z.string(),
  /** Where going on begins to read. */
  from: z.string(),
  to: z.string(),
  /** `to` as the source names it, where that is another word. */
  place: z.string().optional(),
  /** By the clock of the source. */
  at: z.iso.datetime(),
});
export type PlannedReplay = z.infer<typeof plannedReplaySchema>;

/** What a point will be made of that a run takes itself, as far as the plan rests on it. */
export const pointShapeSchema = z.record(
  nameSchema,
  z.object({
    driver: z.string(),
    /** Of the facts; left out where the driver tells none. */
    schemaHash: z.string().optional(),
    /** The driver tells what is written after it. */
    hasPosition: z.boolean(),
  }),
);
export type PointShape = z.infer<typeof pointShapeSchema>;

/** The way home of a run that recovered the service elsewhere; in the plan of its undo, the way back there. */
export const failbackSchema = z.object({
  /** As it was numbered where it ran. */
  run: runNumberSchema,
  runUid: z.uuid(),
  /** Of the side that is left: what that run obeyed. Secrets are references. */
  declaration: serviceDeclarationSchema,
  shape: pointShapeSchema,
  /** Of an undo: what the failback has put away there, and what it has stopped. */
  left: z
    .object({
      /** By component, the name that it has now. */
      retired: z.record(nameSchema, z.string()),
      processes: z.record(nameSchema, z.object({ release: z.string(), port: z.int().nullable() })),
    })
    .optional(),
});
export type Failback = z.infer<typeof failbackSchema>;

export const planIntentSchema = z.object({
  schemaVersion: z.literal(1),
  /** `recover` puts a point behind the stable names; `undo` puts the old side of a run back. */
  purpose: z.enum(["recover", "undo"]),
  service: nameSchema,
  /** The declaration that the run obeys from beginning to end, whatever happens to the file meanwhile. */
  declaration: serviceDeclarationSchema,
  point: z
    .object({
      id: pointIdSchema,
      consistentAt: z.iso.datetime(),
      components: z.record(nameSchema, capturedComponentSchema),
    })
    .nullable(),
  /** For `undo`: what the undone run left, taken from its journal, so that the plan says all that will be done. */
  undoes: z
    .object({
      run: runNumberSchema,
      runUid: z.uuid(),
      acceptLoss: z.boolean(),
      /** Per component: the old side comes in, the side in use goes out. Names (locations) as the run recorded them. */
      exchanges: z.record(
        nameSchema,
        z.object({
          incoming: z.string(),
          outgoing: z.string(),
          /** Nothing stood behind the name before the undone run (a dropped database): nothing is put back behind it. */
          toNothing: z.literal(true).optional(),
        }),
      ),
      /** Per process component: folder of the release that served before the run. */
      releases: z.record(nameSchema, z.string()),
      /** Per component whose writes are known: where the new side stood before users reached it. Absent in plans of older versions. */
      positions: z.record(nameSchema, positionSchema).optional(),
      /** By `cutover:` entry: where the undone run has directed users, or was about to. Absent where it had not come so far. */
      traffic: z.array(z.string()).optional(),
    })
    .nullable(),
  /** Absent in a plan of one side. Its point is made in the run: `point` is null. */
  failback: failbackSchema.optional(),
  /** Components that are recovered. The rest of the service is kept as it is live. */
  scope: z.array(nameSchema),
  /** Kept components that depend on recovered ones and are bound anew. */
  rebound: z.array(nameSchema),
  cutover: z.boolean(),
  /**
   * Invariants that may be broken because a kept component names what came into a recovered one after the point. Absent where no loss was
   * accepted.
   */
  acceptBroken: z.array(nameSchema).optional(),
  /** Components that do not stay at the point. Absent where all do. */
  replays: z.record(nameSchema, plannedReplaySchema).optional(),
  steps: z.array(planStepSchema),
});
export type PlanIntent = z.infer<typeof planIntentSchema>;

export const stepForecastSchema = z.object({
  /** The step in two or three words: `restore db`, `try app 2.5.0`. */
  title: z.string(),
  /** What the step does in this plan: `1.1 GB, 23 tables, into new database shop_r42`. */
  what: z.string(),
  /** More to read before one says yes, line by line. */
  detail: z.array(z.string()).optional(),
  sizeBytes: z.int().nonnegative().optional(),
  durationMs: z.int().nonnegative().nullable(),
  /** How the duration is known: earlier runs, the size at a default rate, or not at all (a person decides). */
  basis: z.enum(["runs", "size", "default", "unknown"]),
});
export type StepForecast = z.infer<typeof stepForecastSchema>;

export const lossForecastSchema = z.object({
  component: nameSchema,
  /** From the point to now, or to the last known write. */
  lostMs: z.int().nonnegative(),
  /** The newest write that the point lacks, when it is known. */
  lastWriteAt: z.iso.datetime().optional(),
  /** `about 312 orders`; absent when the driver cannot say. */
  about: z.string().optional(),
  /** `saved to CSV first`. */
  saved: z.string().optional(),
});

export type LossForecast = z.infer<typeof lossForecastSchema>;

export const brokenLinksSchema = z.object({
  invariant: nameSchema,
  /** The kept side, which names what the recovered one will not have. */
  every: nameSchema,
  in: nameSchema,
  broken: z.int().nonnegative(),
  samples: z.array(z.string()),
});
export type BrokenLinks = z.infer<typeof brokenLinksSchema>;

export const spaceForecastSchema = z.object({
  /** Mount point. */
  fileSystem: z.string(),
  neededBytes: z.int().nonnegative(),
  freeBytes: z.int().nonnegative(),
  components: z.array(nameSchema),
});
export type SpaceForecast = z.infer<typeof spaceForecastSchema>;

/** Why it is this point. */
export const pointChoiceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("last") }),
  z.object({ kind: z.literal("id") }),
  /** The last one from before an incident. */
  z.object({ kind: z.literal("incident"), at: z.iso.datetime() }),
  /** The last one at or before `at`. */
  z.object({ kind: z.literal("instant"), at: z.iso.datetime() }),
  /** The last one whose bytes were read, at `at` or later, and were sound. */
  z.object({ kind: z.literal("verified"), at: z.iso.datetime() }),
  /** The last one that was whole before the mark; `others` bear the same name. */
  z.object({
    kind: z.literal("mark"),
    id: z.string(),
    name: z.string(),
    at: z.iso.datetime(),
    others: z.array(z.object({ id: z.string(), at: z.iso.datetime() })),
    aligned: alignmentSchema.optional(),
  }),
  /** The last one before the run first changed what is live; before it began where it has changed nothing, or that is not known. */
  z.object({
    kind: z.literal("run"),
    run: z.int().positive(),
    uid: z.string(),
    at: z.iso.datetime(),
    changed: z.boolean(),
  }),
  /** The last one at or before a place in the log of a component, which goes exactly there: `xid 1234`, or just before it. */
  z.object({
    kind: z.literal("log-target"),
    what: z.string(),
    isBefore: z.boolean(),
    component: nameSchema,
    line: z.string(),
    position: z.string(),
    at: z.iso.datetime(),
  }),
]);
export type PointChoice = z.infer<typeof pointChoiceSchema>;

/** What speaks for a point that loses less than the chosen one. */
export const closerReasonSchema = z.object({
  /** What was asked of the source at its capture passed, and so it did at every capture since the chosen point. */
  checked: z.boolean(),
  /** It is the last one before this mark. */
  mark: z.object({ name: z.string(), at: z.iso.datetime() }).optional(),
  /** It was taken so long after the wanted moment, which is nearer than the chosen one. */
  afterMs: z.int().nonnegative().optional(),
});
export type CloserReason = z.infer<typeof closerReasonSchema>;

/** How the parts that are recovered belong together. */
export const plannedConsistencySchema = z.object({
  /**
   * Those of a point: `single`, `ordered`, `unordered`, `quiesced`, `composed`. `aligned`: all go to markers that were placed in their logs while the service was held.
   * `approximate`: they go to moments that nothing ties.
   */
  mode: z.enum(["single", "ordered", "unordered", "quiesced", "composed", "aligned", "approximate"]),
  /** Within which all of it was read, marked, or lies by the clocks of the sources. */
  windowMs: z.int().nonnegative(),
  /** In words: what ties them, or what does not. */
  why: z.string(),
});
export type PlannedConsistency = z.infer<typeof plannedConsistencySchema>;

/** What else notices: a service outside of the plan that is bound to a component in it. */
export const touchedServiceSchema = z.object({
  service: nameSchema,
  /** The component that is bound; null where the service as a whole is. */
  component: nameSchema.nullable(),
  /** The component of the plan. */
  to: nameSchema,
  /** `${auth.db.url}` or `dependsOn`. */
  via: z.string(),
});
export type TouchedService = z.infer<typeof touchedServiceSchema>;

/** Another point whose parts are closer together than those of the chosen one. */
export const closestSetSchema = z.object({
  point: pointIdSchema,
  at: z.iso.datetime(),
  skewMs: z.int().nonnegative(),
  /** What it has as of earlier than the chosen one. */
  earlier: z.array(z.object({ component: nameSchema, ms: z.int().positive() })),
});
export type ClosestSet = z.infer<typeof closestSetSchema>;

export const planForecastSchema = z.object({
  /** The moment the plan was computed at. */
  at: z.iso.datetime(),
  /** What `--at` said and the instant that it meant. */
  asked: z.object({ text: z.string(), instant: z.iso.datetime().nullable() }).nullable(),
  /** Absent in plans of older versions, and of an undo. */
  chosen: pointChoiceSchema.optional(),
  /** Where the point was captured without the rest of the service: which parts make it whole. */
  composed: compositionSchema
    .extend({
      /** Parts that expire, are unlocked or held otherwise than the rest; sentences. */
      conflicts: z.array(z.string()),
      /** What would make it better. */
      better: z.string().nullable(),
      /** Left out where none is closer together. */
      closest: closestSetSchema.optional(),
      /** The moment of its oldest part, to which these components go by their logs. */
      byLog: z.object({ at: z.iso.datetime(), components: z.array(nameSchema) }).optional(),
    })
    .optional(),
  /** Absent in plans of older versions, and of an undo. */
  consistency: plannedConsistencySchema.optional(),
  waves: z.array(z.array(stepIdSchema)),
  criticalPath: z.array(stepIdSchema),
  steps: z.record(z.string(), stepForecastSchema),
  totalMs: z.object({ likely: z.int(), low: z.int(), high: z.int(), runs: z.int() }),
  heldMs: z.int().nonnegative(),
  loses: z.array(lossForecastSchema),
  /** Links of kept components that the recovery would break, as far as the point's own list tells. */
  breaks: z.array(brokenLinksSchema).optional(),
  /** `app 2.5.0, proxy, uploads`, with what becomes of each. */
  keeps: z.array(z.string()),
  /** Of a failback, by component: where it stands on the side that is left and at home, and how each is reached from here. */
  ways: z.array(z.object({ component: nameSchema, from: z.string(), to: z.string() })).optional(),
  /** Other services that name what is recovered. Absent in plans of older versions. */
  touches: z.array(touchedServiceSchema).optional(),
  /** A later point that would lose less, when there is one before the incident. */
  closer: z
    .object({
      point: pointIdSchema,
      consistentAt: z.iso.datetime(),
      lostMs: z.int(),
      /** Absent in plans of older versions. */
      why: closerReasonSchema.optional(),
    })
    .nullable(),
  space: z.array(spaceForecastSchema),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
});
export type PlanForecast = z.infer<typeof planForecastSchema>;

export const planSchema = z.object({
  digest: planDigestSchema,
  intent: planIntentSchema,
  forecast: planForecastSchema,
});
export type Plan = z.infer<typeof planSchema>;
