/** What podman knows under the name of an entry: a container, the storage of one that was never made whole, or nothing. */
import { z } from "zod";
import type { ProvisionOwner } from "../../core/ports/provision.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { containerName, labelsOf } from "./container-words.ts";
import { type PodmanContext, askPodman, waitForActing } from "./run-podman.ts";

export type SeenContainer = {
  readonly id: string;
  /** Podman's word: `running`, `exited`, `created`, `paused`. */
  readonly status: string;
  readonly exitCode: number;
  /** 0 when nothing of it runs. */
  readonly pid: number;
  /** Who made it, by its labels. */
  readonly maker: ProvisionOwner;
  /** Digest of the declaration that it was made by. */
  readonly declared: string;
};

const inspectionSchema = z.array(
  z.object({
    Id: z.string(),
    State: z.object({ Status: z.string(), ExitCode: z.number(), Pid: z.number() }),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
  }),
);

const byHand = (context: PodmanContext): string =>
  `name the entry otherwise; or, if nobody needs it: podman rm ${containerName(context)}`;

/** @throws RefloatError instance.exists for a container of that name that Refloat has not made for this entry */
export const seeContainer = async (context: PodmanContext): Promise<SeenContainer | null> => {
  await waitForActing(context);
  const name = containerName(context);
  const { stdout, stderr, exitCode } = await askPodman(
    context,
    ["container", "inspect", "--format", "json", name],
    [0, 1, 125],
  );
  if (exitCode !== 0) {
    if (/no such container/i.test(stderr)) return null;
    throw new RefloatError("program.failed", `podman does not tell of ${name}: ${stderr.trim()}`, {
      context: { component: context.component },
    });
  }
  const [found] = inspectionSchema.parse(JSON.parse(stdout));
  if (found === undefined) return null;
  const labels = found.Config.Labels ?? {};
  const wanted = labelsOf(context);
  const run = Number(labels["refloat.run"]);
  const runUid = labels["refloat.run-uid"];
  if (Object.entries(wanted).some(([key, value]) => labels[key] !== value) || runUid === undefined || !(run > 0))
    throw new RefloatError(
      "instance.exists",
      `a container ${name} is there, which Refloat has not made for ${context.component}`,
      { hint: byHand(context) },
    );
  const { Status: status, ExitCode: code, Pid: pid } = found.State;
  const declared = labels["refloat.declared"] ?? "";
  return { id: found.Id, status, exitCode: code, pid, maker: { run, runUid }, declared };
};

/** Is the name taken by storage that no container has: of a podman that was killed while it created one? */
export const isNameTaken = async (context: PodmanContext): Promise<boolean> => {
  const { exitCode } = await askPodman(context, ["container", "exists", "--external", containerName(context)], [0, 1]);
  return exitCode === 0;
};

export const refuseTakenName = (context: PodmanContext): RefloatError =>
  new RefloatError(
    "instance.exists",
    `the name ${containerName(context)} is taken by storage of another tool than podman, which Refloat has not made`,
    { hint: byHand(context) },
  );
