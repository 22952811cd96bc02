/** What a recovery has switched off so that a copy does not act in the name of the original, and what arming it again would do. */
import { z } from "zod";

export const disarmedItemSchema = z.object({
  /** Within its component, as a person types it: `archive`, `subscription:shop/orders_in`, `cron:postgres/7`, `event:cleanup`. */
  name: z.string(),
  /** What it was before, in words, without a secret. */
  was: z.string(),
  /** Arming it has begun, and nobody has heard how that ended. */
  begun: z.boolean(),
});
export type DisarmedItem = z.infer<typeof disarmedItemSchema>;

/** All that is off in a component. */
export const disarmedComponentSchema = z.object({ component: z.string(), items: z.array(disarmedItemSchema) });
export type DisarmedComponent = z.infer<typeof disarmedComponentSchema>;

export const armProposalSchema = z.object({
  /** What will be armed. */
  items: z.array(z.object({ name: z.string(), was: z.string(), does: z.string() })),
  /** What stays off, though it was asked for or nothing was said of it, and why. */
  stays: z.array(z.object({ name: z.string(), was: z.string(), why: z.string() })),
  /** What it costs: `the server is stopped and started: its sessions end`. */
  takes: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type ArmProposal = z.infer<typeof armProposalSchema>;

export const armingActs = ["arm", "leave"] as const;
/** `leave`: it stays off, and is no longer taken for something that waits to be armed. */
export type ArmingAct = (typeof armingActs)[number];

export const armingPlanSchema = z.object({
  service: z.string(),
  act: z.enum(armingActs),
  components: z.array(
    z.object({
      component: z.string(),
      /** The run that put what is armed behind its name; null where this machine has no record of one. */
      run: z.int().positive().nullable(),
      proposal: armProposalSchema,
    }),
  ),
  /** SHA-256 of what will be done, hex. */
  digest: z.string(),
});
export type ArmingPlan = z.infer<typeof armingPlanSchema>;
