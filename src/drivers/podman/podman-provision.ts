/**
 * Provision of a container: there is one of its name, and its labels say which run made it. One that has ended, after a reboot or by
 * itself, is started again and not made anew: whoever starts it again stops it, and only its maker removes it.
 */
import { access } from "node:fs/promises";
import type { PreflightReport } from "../../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionOwner, ProvisionSight } from "../../core/ports/provision.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readInstanceRecord, removeInstanceRecord, writeInstanceRecord } from "../../platform/instance-record.ts";
import { findPortOwners, isPortOpenAround } from "../../platform/port-owner.ts";
import {
  type ProcessIdentity,
  descendantsOf,
  isAlive,
  listProcesses,
  readProcess,
} from "../../platform/process-table.ts";
import {
  type PublishedPort,
  portOutputDescriptions,
  portOutputs,
  publishedPorts,
  refuseTakenPort,
} from "../../platform/published-port.ts";
import { redact } from "../../platform/shell-line.ts";
import { bindContainer, containerName, createWords } from "./container-words.ts";
import { type PodmanOptions, podmanSchema } from "./podman-options.ts";
import { type PodmanContext, askPodman, hasEnded, letPodmanAct } from "./run-podman.ts";
import { type SeenContainer, isNameTaken, refuseTakenName, seeContainer } from "./see-container.ts";

const lookAgainMs = 20;
const logLines = 8;

/** Does the container itself listen? In the network of the host somebody else may. */
const listens = ({ options }: PodmanContext, pid: number, { port, inside }: PublishedPort): boolean => {
  if (options.network !== "host") return isPortOpenAround(pid, inside);
  const { open, pids } = findPortOwners(port);
  if (!open) return false;
  const within = new Set([pid, ...descendantsOf(pid, listProcesses()).map((row) => row.pid)]);
  return pids.some((owner) => within.has(owner));
};

const silentPort = (context: PodmanContext, pid: number): PublishedPort | null =>
  publishedPorts(context.options).find((port) => !listens(context, pid, port)) ?? null;

/** Remembered beside what podman knows: by the entry, whether making it came to its end; by the container, who started it again. */
const records = async (context: PodmanContext, seen: SeenContainer | null) => ({
  made: await readInstanceRecord(context, containerName(context)),
  started: seen === null ? null : await readInstanceRecord(context, seen.id),
});

type Known = {
  readonly seen: SeenContainer | null;
  readonly sight: ProvisionSight;
};

const endOf = ({ status, exitCode }: SeenContainer): string =>
  status === "exited" ? `has exited with status ${exitCode}` : `is ${status}`;

const look = async (context: PodmanContext): Promise<Known> => {
  const seen = await seeContainer(context);
  const { made, started } = await records(context, seen);
  const name = containerName(context);
  if (seen === null) {
    if (!(await isNameTaken(context))) return { seen, sight: { presence: "absent" } };
    if (made?.state !== "begun") throw refuseTakenName(context);
    const found = `storage of a container ${name} that was never made whole`;
    return { seen, sight: { presence: "partial", owner: { run: made.run, runUid: made.runUid }, found } };
  }
  const owner: ProvisionOwner = started === null ? seen.maker : { run: started.run, runUid: started.runUid };
  const partial = (what: string, way = ""): Known => ({
    seen,
    sight: { presence: "partial", owner, found: `container ${name} ${what}${way}` },
  });
  const byHand = `; if nobody needs it: podman rm --force ${name}`;
  const { declared } = await bindContainer(context);
  if (seen.declared !== declared) return partial("was made by another declaration", byHand);
  const isTorn = started?.state === "begun" || (made?.state === "begun" && made.runUid === seen.maker.runUid);
  if (seen.status === "exited" && !isTorn) return { seen, sight: { presence: "absent" } };
  if (seen.status !== "running") return partial(`${endOf(seen)}, and its start has not come to its end`, byHand);
  const silent = silentPort(context, seen.pid);
  if (silent !== null) return partial(`does not listen on port ${silent.inside}`);
  return { seen, sight: { presence: "done", owner, found: `container ${name} (${seen.id.slice(0, 12)})` } };
};

const inspect = async (context: PodmanContext): Promise<ProvisionSight> => {
  const { sight } = await look(context);
  if (sight.presence === "absent")
    for (const { port } of publishedPorts(context.options))
      refuseTakenPort(context.component, port, "which is not its container");
  return sight;
};

const hasImage = async (context: PodmanContext, image: string): Promise<boolean> =>
  (await askPodman(context, ["image", "exists", image], [0, 1])).exitCode === 0;

const preview: ProvisionDriver<PodmanOptions>["preview"] = async (context) => {
  const { image, rootfs = "" } = context.options;
  const name = containerName(context);
  const { seen } = await look(context);
  if (seen !== null)
    return {
      what: `starts container ${name} again, which run ${seen.maker.run} made and which ${endOf(seen)}`,
      detail: [],
    };
  const from = image === undefined ? `over ${rootfs}` : `of ${image}`;
  const pulled = image === undefined || (await hasImage(context, image)) ? "" : ", which is pulled";
  return { what: `container ${name} ${from}${pulled}`, detail: [] };
};

const apply = async (context: PodmanContext, owner: ProvisionOwner): Promise<{ readonly summary: string }> => {
  const { image } = context.options;
  const name = containerName(context);
  const bound = await bindContainer(context);
  const seen = await seeContainer(context);
  const mark = (of: string, state: "begun" | "whole"): Promise<void> =>
    writeInstanceRecord(context, { name: of, ...owner }, state);
  let id = seen?.id ?? "";
  if (seen === null) {
    if (image !== undefined && !(await hasImage(context, image))) await askPodman(context, ["pull", "--quiet", image]);
    await mark(name, "begun");
    try {
      const said = await letPodmanAct(context, createWords(bound, context, owner), bound.environment);
      // Warnings may stand around it.
      id = /^[0-9a-f]{64}$/m.exec(said)?.[0] ?? name;
    } catch (error) {
      // Storage under the name that appears from here on is none of ours.
      if (hasEnded(error)) await removeInstanceRecord(context, name);
      throw error;
    }
  } else await mark(id, "begun");
  try {
    await letPodmanAct(context, ["start", id]);
    await waitUntilThere(context, bound.secrets);
  } catch (error) {
    // The signal may be what ended the start; the clean-up must still run to its end.
    await destroy({ ...context, signal: new AbortController().signal }, owner);
    throw error;
  }
  await mark(seen === null ? name : id, "whole");
  return { summary: seen === null ? `container ${name}` : `container ${name}, started again` };
};

const waitUntilThere = async (context: PodmanContext, secrets: readonly string[]): Promise<void> => {
  const timeoutMs = parseDuration(context.options.startTimeout ?? "60s") ?? 60_000;
  const deadline = context.clock.monotonicMs() + timeoutMs;
  const seen = await seeContainer(context);
  const first: ProcessIdentity | null = seen === null || seen.pid === 0 ? null : readProcess(seen.pid);
  for (;;) {
    if (first === null || !isAlive(first)) throw await startFailure(context, secrets, "ended before it was there");
    const silent = silentPort(context, first.pid);
    if (silent === null) return;
    if (context.clock.monotonicMs() > deadline)
      throw await startFailure(
        context,
        secrets,
        `does not listen on port ${silent.inside} within ${timeoutMs / 1_000} s`,
      );
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

const startFailure = async (
  context: PodmanContext,
  secrets: readonly string[],
  what: string,
): Promise<RefloatError> => {
  const name = containerName(context);
  // Not every log driver can be read from.
  const { stdout, stderr } = await askPodman(context, ["logs", `--tail=${logLines}`, name], [0, 1, 125]);
  const said = redact(`${stdout}\n${stderr}`.trim(), secrets);
  return new RefloatError("program.failed", `container ${name} ${what}${said === "" ? "" : `: ${said}`}`, {
    context: { component: context.component },
    hint: "look at its command, mounts and environment; it was taken away again",
  });
};

const destroy = async (context: PodmanContext, { runUid }: ProvisionOwner): Promise<void> => {
  const { component } = context;
  const name = containerName(context);
  const seen = await seeContainer(context);
  const { made, started } = await records(context, seen);
  if (seen === null) {
    if (made?.runUid === runUid && made.state === "begun" && (await isNameTaken(context)))
      await letPodmanAct(context, ["rm", "--force", name]);
  } else {
    const owner = started ?? seen.maker;
    if (owner.runUid !== runUid)
      throw new RefloatError(
        "instance.exists",
        `${component} is not taken away: run ${owner.run} ${started === null ? "made" : "started"} container ${name}`,
        { hint: `if nobody needs it: podman rm --force ${name}` },
      );
    // By its id: the name may be another one's by now.
    if (seen.maker.runUid === runUid) await letPodmanAct(context, ["rm", "--force", "--volumes", seen.id]);
    else await letPodmanAct(context, ["stop", seen.id]);
    if (started !== null) await removeInstanceRecord(context, seen.id);
  }
  if (made?.runUid === runUid) await removeInstanceRecord(context, name);
};

type Finding = PreflightReport["findings"][number];

/** What podman itself lacks: it, its runtime, its monitor. */
const podmanFinding = async (context: PodmanContext): Promise<Finding | null> => {
  try {
    await askPodman(context, ["info", "--format", "{{.Version.Version}}"]);
    return null;
  } catch (error) {
    if (!(error instanceof RefloatError) || !["program.missing", "program.failed"].includes(error.code)) throw error;
    return error.code === "program.missing"
      ? { ok: false, subject: "podman", found: "is not installed", hint: "Debian: apt-get install podman" }
      : { ok: false, subject: "podman", found: error.message, hint: "what podman needs here is declared by options:" };
  }
};

const missingFolders = async ({ options, bind }: PodmanContext): Promise<readonly Finding[]> => {
  const named = [
    ...(options.rootfs === undefined ? [] : [{ subject: "rootfs", text: options.rootfs }]),
    ...(options.mounts ?? []).map((text) => ({ subject: "mount", text })),
  ];
  const findings: Finding[] = [];
  for (const { subject, text } of named) {
    const { value } = await bind(text);
    const path = subject === "mount" ? value.slice(0, value.indexOf(":")) : value;
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (!isThere)
      findings.push({
        ok: false,
        subject,
        found: `${path} is not there`,
        hint: "make it, or let an entry above make it",
      });
  }
  return findings;
};

const preflight = async (context: PodmanContext): Promise<PreflightReport> => {
  const { component: name, options } = context;
  const { words } = await bindContainer(context);
  const podman = ["podman", ...(options.options ?? [])];
  const recoveryCommands = [[...podman, ...words].join(" "), [...podman, "start", containerName(context)].join(" ")];
  const lack = await podmanFinding(context);
  if (lack !== null) return { findings: [lack], commands: [], recoveryCommands, grants: [] };
  const sight = await inspect(context);
  const found =
    sight.presence === "absent" ? `is not there: a recovery makes it, ${(await preview(context)).what}` : sight.found;
  return {
    findings: [
      { ok: sight.presence !== "partial", subject: `provision ${name}`, found },
      ...(await missingFolders(context)),
    ],
    commands: [],
    recoveryCommands,
    grants: [],
  };
};

export const podmanProvision: ProvisionDriver<PodmanOptions> = {
  type: "podman",
  summary: "A container that podman runs on this machine, and that outlives Refloat.",
  options: podmanSchema,
  outputs: (options) => ({
    ...portOutputDescriptions(options),
    container: { description: "Id of the container: podman exec ${box.container} ...", secret: false },
  }),
  preflight,
  preview,
  inspect,
  apply,
  read: async (context) => {
    const seen = await seeContainer(context);
    if (seen === null)
      throw new RefloatError("provision.absent", `${context.component} has been taken away`, {
        context: { provision: context.component },
      });
    return {
      ...portOutputs(publishedPorts(context.options)),
      container: { value: seen.id, secret: false },
    };
  },
  destroy,
};
