/** Answers about plans and runs: what would be done, what was done, what people said to it. Part of the public contract: result-schemas.ts. */
import { armingPlanSchema, disarmedComponentSchema } from "../model/arming.ts";
import { nameSchema, planDigestSchema, runNumberSchema, stepIdSchema } from "../model/identifiers.ts";
import { jsonSchema } from "../model/json.ts";
import { jointPlanSchema } from "../model/joint-plan.ts";
import { mendProposalSchema } from "../model/mend.ts";
import { checkOutcomeSchema } from "../model/outcome.ts";
import { lossForecastSchema, phaseSchema, planSchema } from "../model/plan.ts";
import { runWordSchema } from "../model/run-word.ts";
import { runEventSchema, runRecordSchema, runStateSchema } from "../model/run.ts";
import { z } from "zod";

const objectiveSchema = { objectiveMs: z.number().nullable(), met: z.boolean().nullable() };

/** What a run came to, in numbers: what an objective is compared with. */
const runSummarySchema = z.object({
  /**
   * From the first wrong answer (else from the begin of the run: then the least that it was, never `met`) to normal service; null before
   * users could have noticed, and while they get wrong answers.
   */
  rto: z
    .object({
      actualMs: z.number(),
      ...objectiveSchema,
      from: z.string(),
      fromIncident: z.boolean(),
      to: z.string(),
      toProbe: z.boolean(),
    })
    .nullable(),
  /** Per component: from the point to the last write that it does not have; `atMost` where that is not known and it is the time to the switch. */
  rpo: z.array(
    z.object({
      component: z.string(),
      actualMs: z.number(),
      atMost: z.boolean(),
      ...objectiveSchema,
      directory: z.string().nullable(),
    }),
  ),
  /** Of a run that has stopped: the commands that work on it now, the most sensible first. */
  words: z.array(z.string()),
  /** Other services whose runs were begun together with it. Absent for a run alone. */
  together: z.array(nameSchema).optional(),
  /** As a user would ask, at the end; of an undo it may have failed. Null when nobody asked. */
  probe: checkOutcomeSchema.nullable(),
  phases: z.array(z.object({ phase: z.enum(["notice", ...phaseSchema.options]), durationMs: z.number() })),
  /** Of an undo: what only the side that was left has, and where it was exported to. */
  left: z.array(z.object({ component: z.string(), directory: z.string().nullable() })),
  /** Of an undo: components behind whose name nothing stands now, as before the undone run. */
  emptied: z.array(z.string()),
  /** What components of the new side use while they run, and what did not answer right. */
  unanswered: z.array(z.object({ component: z.string(), usedBy: z.array(z.string()), found: z.string() })),
  /** Broken links that were accepted. */
  broken: z.array(z.string()),
  /** What was moved on the new side so that it goes on where the old one stopped. */
  settled: z.array(z.string()),
  /** What was off behind each name when it was switched, so that a copy does not act in the name of the original. */
  disarmed: z.array(disarmedComponentSchema),
  /** The sides that it has put away (of an undo: the side that was left), where they stand now. */
  kept: z.array(
    z.object({
      component: z.string(),
      name: z.string(),
      /** Why it could not serve again, where its files tell: an undo would be refused. */
      unfit: z.string().optional(),
    }),
  ),
  /** Of a failback: what it has put away on the side that users have left, by the names that it has there. */
  keptAway: z.array(z.object({ component: z.string(), name: z.string() })),
  /** Without the time that people took to decide. */
  machineMs: z.number(),
  predictedMs: z.number(),
  /** Where it did not go smoothly. */
  stumbles: z.object({
    retries: z.int().nonnegative(),
    interruptions: z.int().nonnegative(),
    redone: z.int().nonnegative(),
    edits: z.array(
      z.object({
        step: stepIdSchema,
        field: z.string(),
        from: jsonSchema,
        to: jsonSchema,
        before: planDigestSchema,
        after: planDigestSchema,
        by: z.string(),
        reason: z.string(),
      }),
    ),
    warnings: z.array(z.string()),
  }),
});

/** `null`: nothing was, or is, there. */
const valueChangeSchema = z.object({ what: z.string(), from: jsonSchema, to: jsonSchema });

const planDiffSchema = z.object({
  /** The digests are equal. */
  same: z.boolean(),
  subject: z.array(valueChangeSchema),
  declaration: z.array(valueChangeSchema),
  steps: z.array(
    z.object({
      step: stepIdSchema,
      change: z.enum(["added", "removed", "changed"]),
      title: z.string(),
      from: z.string().nullable(),
      to: z.string().nullable(),
      parts: z.array(z.string()),
    }),
  ),
  durations: z.array(z.object({ step: stepIdSchema, fromMs: z.number().nullable(), toMs: z.number().nullable() })),
  totalMs: z.object({ from: z.number(), to: z.number() }),
  heldMs: z.object({ from: z.number(), to: z.number() }),
  losses: z.array(
    z.object({ component: nameSchema, from: lossForecastSchema.nullable(), to: lossForecastSchema.nullable() }),
  ),
  warnings: z.object({ gone: z.array(z.string()), added: z.array(z.string()) }),
});

const runDetailSchema = z.object({
  record: runRecordSchema,
  plan: planSchema,
  events: z.array(runEventSchema),
  summary: runSummarySchema,
});

export const runResults = {
  "run-word": z.object({
    run: runNumberSchema,
    service: z.string(),
    /** Of the run when it was said. */
    state: runStateSchema,
    says: runWordSchema.shape.says,
    step: stepIdSchema.nullable(),
    by: z.string(),
    /** Of an approval gate: what it still needs; null when it is open, and for all else. */
    missing: z.string().nullable(),
  }),
  "run-edit": z.object({
    run: runNumberSchema,
    service: z.string(),
    step: stepIdSchema,
    field: z.string(),
    /** What held before; null where it was the default of its kind. */
    from: jsonSchema,
    to: jsonSchema,
    /** Digests of the plan. */
    before: planDigestSchema,
    after: planDigestSchema,
    by: z.string(),
    /** Approval gates to which what was said before counts no more. */
    asksAgain: z.array(stepIdSchema),
  }),
  reconcile: z.object({
    service: z.string(),
    run: runNumberSchema,
    batches: z.array(mendProposalSchema.extend({ component: z.string(), applied: z.boolean() })),
    /** Kept sides whose rows are not compared, and why not. */
    left: z.array(z.object({ component: z.string(), side: z.string(), why: z.string() })),
  }),
  mend: mendProposalSchema.extend({
    service: z.string(),
    component: z.string(),
    /** `undo`: what was proposed was taken back. */
    direction: z.enum(["mend", "undo"]),
    applied: z.boolean(),
  }),
  rearm: armingPlanSchema.extend({
    /** What was done; empty where it was only shown. */
    done: z.array(z.object({ component: z.string(), items: z.array(z.string()), said: z.array(z.string()) })),
  }),
  plan: planSchema,
  /** Of `plan --diff`. */
  "plan-diff": z.object({
    from: planSchema,
    to: planSchema,
    /** `from` was shown earlier; otherwise it is that of another moment. */
    shown: z.boolean(),
    diff: planDiffSchema,
  }),
  /** Of `plan --with-needs`: each part is a plan of one service. */
  "joint-plan": jointPlanSchema,
  /** Of `plan --with-needs --diff`. */
  "joint-plan-diff": z.object({
    from: jointPlanSchema,
    to: jointPlanSchema,
    shown: z.boolean(),
    same: z.boolean(),
    /** Of the services that both have. */
    parts: z.array(z.object({ from: planSchema, to: planSchema, diff: planDiffSchema })),
    added: z.array(nameSchema),
    removed: z.array(nameSchema),
  }),
  /** One run: after recover, resume, cancel, undo, and for `runs NUMBER`. */
  run: runDetailSchema.extend({
    /** Those that were executed together with it by this command. Absent where it was alone. */
    together: z.array(runDetailSchema).optional(),
  }),
  runs: z.array(runRecordSchema),
  commit: z.object({ run: runNumberSchema, discarded: z.array(z.string()) }),
} as const;
