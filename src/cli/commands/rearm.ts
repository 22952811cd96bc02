/** rearm: what a recovery has switched off acts again. */
import { z } from "zod";
import { type RearmRequest, applyRearm, outdated, proposeRearm } from "../../operations/rearm.ts";
import { renderArmingPlan, renderNothingToArm, renderRearmed, shortArmingDigest } from "../../render/rearm-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { during } from "../live-progress.ts";
import { runNumberInput } from "../run-number.ts";

/** `db`, `db:archive`; the names of items are whatever an administrator has called them, so no comma parts them. */
const onlyInput = z
  .array(z.string().min(1, "--only names a component, or COMPONENT:ITEM"))
  .default([])
  .transform((names) =>
    names.length === 0
      ? null
      : names.map((name) => {
          const colon = name.indexOf(":");
          return colon === -1
            ? { component: name, item: null }
            : { component: name.slice(0, colon), item: name.slice(colon + 1) };
        }),
  );

const rearmInput = z
  .object({
    service: z
      .string("say which service, or which run")
      .transform((text) =>
        runNumberInput.safeParse(text).success ? { run: runNumberInput.parse(text) } : { service: text },
      ),
    only: onlyInput,
    archiveCommand: z.string().nullable().default(null),
    leaveOff: z.boolean().default(false),
    beforeCommit: z.boolean().default(false),
    plan: z
      .string()
      .regex(/^[0-9a-f]{4,64}$/, "a plan is named by its digest, or the first characters of it")
      .nullable()
      .default(null),
  })
  .refine(({ leaveOff, only }) => !leaveOff || only !== null, "--leave-off needs --only: what is to stay off for good?")
  .refine(
    ({ leaveOff, archiveCommand }) => !leaveOff || archiveCommand === null,
    "--archive-command names where to archive, and --leave-off that nothing is to",
  );
type RearmInput = z.infer<typeof rearmInput>;

/** The same again, as a script types it. The archive command is left to be typed: it may have a secret in it. */
const again = ({ service: of, only, archiveCommand, leaveOff, beforeCommit }: RearmInput, digest: string): string =>
  [
    `refloat rearm ${"run" in of ? of.run : of.service}`,
    ...(only ?? []).map(({ component, item }) => ` --only ${component}${item === null ? "" : `:${item}`}`),
    archiveCommand === null ? "" : " --archive-command COMMAND",
    leaveOff ? " --leave-off" : "",
    beforeCommit ? " --before-commit" : "",
    ` --plan ${digest}`,
  ].join("");

export const rearmCommand = defineCommand({
  name: "rearm",
  group: "At 3 a.m.",
  summary: "let what was recovered act again: archive, subscriptions, jobs, events",
  about: [
    "A recovery restores databases so that they do not act in the name of the old ones: nothing is archived, no subscription receives, no job and no event runs. " +
      "What was off, and what it was before, is recorded when it is restored. This arms it again, all of it or what --only names: shows what each will do, asks, does it, " +
      "looks whether it is so, and puts it back where it is not.",
    "A cluster that archived by a command of its own gets a new place by --archive-command; the one of the old history is refused, and without a new one the archive stays off. " +
      "What Refloat itself receives of the log needs nothing: it goes on under a new name.",
    "Refused while the recovery can be undone (commit it first, or --before-commit), while a run goes on, and while the old side still acts.",
  ],
  arguments: [
    {
      name: "SERVICE",
      about: "a service of refloat.yaml, or the number of the run that has recovered it",
      required: true,
      completes: "services",
    },
  ],
  options: [
    {
      name: "only",
      value: "COMPONENT[:ITEM]",
      repeatable: true,
      about: "these alone, as they are listed: db:archive, db:subscription:shop/orders_in, catalog:event:cleanup",
    },
    {
      name: "archive-command",
      value: "COMMAND",
      about: "the new archive_command of a cluster: another place than the old one",
    },
    { name: "leave-off", about: "note that what --only names stays off for good; refloat status says no more of it" },
    { name: "before-commit", about: "although the recovery can still be undone" },
    { name: "plan", value: "DIGEST", about: "only if it still does what was shown under this digest; asks nothing" },
  ],
  examples: [
    { line: "refloat rearm shop", about: "shows what is off and what arming it does, and asks" },
    {
      line: 'refloat rearm shop --only cluster:archive --archive-command "cp %p /archive/main-2/%f"',
      about: "into a new place",
    },
    { line: "refloat rearm 42 --only catalog:event:cleanup", about: "one event of MariaDB" },
    { line: "refloat rearm shop --only cluster:cron:postgres/7 --leave-off", about: "a job that is wanted no more" },
  ],
  exits: [3, 4, 7],
  input: rearmInput,
  act: async (input, context) => {
    const bench = await context.bench();
    const screen = context.output.screen(bench.host.timeZone);
    const { service: of, only, archiveCommand, leaveOff, beforeCommit } = input;
    const request: RearmRequest = { of, only, archiveCommand, beforeCommit, act: leaveOff ? "leave" : "arm" };
    const { plan } = await proposeRearm(bench, request, context.signal);
    context.output.say(renderArmingPlan(plan, screen));
    if (plan.components.every(({ proposal }) => proposal.items.length === 0))
      return answer("rearm", { ...plan, done: [] }, renderNothingToArm(plan, screen));
    const nextCommand = again(input, shortArmingDigest(plan));
    if (input.plan === null) {
      await requireYes(context, {
        question: leaveOff ? "Leave it off for good?" : "Arm it now?",
        unasked: leaveOff ? "it is what status reminds of" : "what is armed acts on others",
        nextCommand,
      });
    } else if (!plan.digest.startsWith(input.plan)) {
      throw outdated(input.plan, nextCommand);
    }
    const done = await during(context.output, bench.clock, leaveOff ? "noting" : "arming", () =>
      applyRearm(bench, request, plan, context.signal),
    );
    return answer("rearm", { ...plan, done: [...done] }, renderRearmed(plan, done, screen));
  },
});
