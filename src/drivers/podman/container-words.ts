/** A container of an entry as podman is told of it: its name, its labels, the words that create it. */
import { isAbsolute } from "node:path";
import { sha256Of } from "../../core/planner/plan-digest.ts";
import type { ProvisionOwner } from "../../core/ports/provision.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { secretsIn } from "../../platform/bound-environment.ts";
import { publishedPorts } from "../../platform/published-port.ts";
import type { PodmanContext } from "./run-podman.ts";

/** Podman gives a name once: so there is never a second one, whichever run asks, and from whichever state folder. */
export const containerName = ({ service, component }: Pick<PodmanContext, "service" | "component">): string =>
  `${service}.${component}`;

/** What tells that a container is that of the entry, whoever made it. */
export const labelsOf = ({
  service,
  component,
}: Pick<PodmanContext, "service" | "component">): Readonly<Record<string, string>> => ({
  "refloat.service": service,
  "refloat.provision": component,
});

/**
 * Variables that podman itself is led by. Were they handed on by name, they would change what podman does.
 * https://docs.podman.io/en/latest/markdown/podman.1.html
 */
const ofPodman =
  /^(PATH|HOME|TMPDIR|USER|(CONTAINERS?|STORAGE|XDG|DBUS|REFLOAT|DOCKER|LISTEN|NOTIFY)_?.*|REGISTRY_AUTH_FILE|.*_PROXY)$/i;

export type BoundContainer = {
  readonly words: readonly ["create", ...string[]];
  /** Secret variables: podman takes them from its own environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** What must not be seen in what the container says. */
  readonly secrets: readonly string[];
  /** Digest of all of it that may be seen. */
  readonly declared: string;
};

const absolute = (context: PodmanContext, path: string, key: string): string => {
  if (isAbsolute(path)) return path;
  throw new RefloatError("config.invalid", `${key} of ${context.component} is ${path}, which is no absolute path`);
};

/** @throws RefloatError config.invalid for what cannot be handed on as it is meant */
export const bindContainer = async (context: PodmanContext): Promise<BoundContainer> => {
  const { options, component, bind } = context;
  const bound = (text: string | number, key: string): Promise<string> =>
    bindCommand(bind, String(text), `${key} of ${component}`);
  const boundAll = (texts: readonly (string | number)[] | undefined, key: string): Promise<readonly string[]> =>
    Promise.all((texts ?? []).map((text) => bound(text, key)));

  const environment: Record<string, string> = {};
  const secrets: string[] = [];
  const variables: string[] = [];
  for (const [name, text] of Object.entries(options.environment ?? {})) {
    const { value, secret } = await bind(String(text));
    if (!secret) variables.push(`--env=${name}=${value}`);
    else {
      if (ofPodman.test(name))
        throw new RefloatError(
          "config.invalid",
          `environment of ${component} gives a secret as ${name}, which podman would take for its own`,
          { hint: "give it under another name, or by a mounted file" },
        );
      variables.push(`--env=${name}`);
      environment[name] = value;
      secrets.push(...secretsIn(value));
    }
  }
  const root =
    options.rootfs === undefined
      ? [options.image ?? ""]
      : // Over the folder lies a layer of the container's own, which is gone with it.
        ["--rootfs", `${absolute(context, await bound(options.rootfs, "rootfs"), "rootfs")}:O`];
  const mounts = (await boundAll(options.mounts, "mounts")).map(
    (mount) => `--volume=${absolute(context, mount, "mounts")}`,
  );
  const ports =
    options.network === "host"
      ? []
      : publishedPorts(options).map(
          ({ address, port, inside }) =>
            `--publish=${address.includes(":") ? `[${address}]` : address}:${port}:${inside}/tcp`,
        );
  const network = options.network === undefined ? [] : [`--network=${options.network}`];
  const more = await boundAll(options.arguments, "arguments");
  const command = await boundAll(options.command, "command");
  const told = [...network, ...ports, ...mounts, ...variables, ...more];
  return {
    words: [
      "create",
      `--name=${containerName(context)}`,
      // Pulled before, by an act of its own that may be ended at any time.
      ...(options.rootfs === undefined ? ["--pull=never"] : []),
      `--stop-timeout=${Math.ceil((parseDuration(options.stopTimeout ?? "10s") ?? 10_000) / 1_000)}`,
      ...told,
      ...root,
      ...command,
    ],
    environment,
    secrets,
    declared: sha256Of(JSON.stringify({ root, told, command })),
  };
};

/** Labels are first of the options: the rest ends with what is no option. */
export const createWords = (
  { words: [create, ...rest], declared }: BoundContainer,
  context: PodmanContext,
  { run, runUid }: ProvisionOwner,
): readonly ["create", ...string[]] => [
  create,
  ...Object.entries({
    ...labelsOf(context),
    "refloat.run": String(run),
    "refloat.run-uid": runUid,
    "refloat.declared": declared,
  }).map(([key, value]) => `--label=${key}=${value}`),
  ...rest,
];
