/** A plugin as the tool of a component: docs/plugins.md, "A plugin". */
import { z } from "zod";
import type { Presence } from "../../core/ports/driver.ts";
import { parseDuration } from "../../core/time/duration.ts";
import type { JsonObject, Json } from "../../model/json.ts";
import {
  type PluginAbility,
  type PluginHello,
  type PluginRequest,
  type PluginRequestKind,
  pluginProtocolVersion,
} from "../../model/plugin-protocol.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindEnvironment, secretsIn } from "../../platform/bound-environment.ts";
import { runAsUser } from "../../platform/run-as.ts";
import { stableNameOf } from "./component-names.ts";
import { type CommandContext, dataTimeoutMs } from "./component-options.ts";
import { TornData, createFrameReader, readStream, writeStreams } from "./plugin-frames.ts";
import { type Exchange, type Session, askPlugin } from "./plugin-session.ts";
import type { CapturedStream, Tool } from "./tool.ts";

type Common = "refloat" | "service" | "component" | "options" | "stable" | "work" | "request";
type Words<Kind extends PluginRequestKind> = Omit<Extract<PluginRequest, { request: Kind }>, Common>;

const defaultSilenceMs = 60_000;

/** The declared options with their references replaced, and the secrets among them. */
const bindOptions = async (context: CommandContext) => {
  const secrets: string[] = [];
  const bindValue = async (value: Json): Promise<Json> => {
    if (typeof value === "string") {
      const bound = await context.bind(value);
      if (bound.secret) secrets.push(...secretsIn(bound.value));
      return bound.value;
    }
    if (Array.isArray(value)) return Promise.all((value as readonly Json[]).map(bindValue));
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value as JsonObject).map(
      async ([key, item]) => [key, await bindValue(item)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  };
  const options = (await bindValue((context.options.options ?? {}) as JsonObject)) as JsonObject;
  return { options, secrets };
};

/** @throws RefloatError config.invalid, program.failed when the plugin's own schema cannot be read */
const checkOptions = (component: string, hello: PluginHello, options: JsonObject): void => {
  let schema: z.ZodType;
  try {
    schema = z.fromJSONSchema(hello.options);
  } catch (error) {
    throw new RefloatError(
      "program.failed",
      `${hello.name} ${hello.version} has a schema of options that cannot be read`,
      {
        cause: error,
      },
    );
  }
  const read = schema.safeParse(options);
  if (read.success) return;
  const faults = read.error.issues.map(({ path, message }) => `${["options", ...path].join(".")}: ${message}`);
  throw new RefloatError(
    "config.invalid",
    `the options of ${component} are not what ${hello.name} asks for: ${faults.join("; ")}`,
  );
};

const daemons: ReadonlySet<PluginRequestKind> = new Set(["switch", "stop", "reload"]);

const ask = async <Kind extends PluginRequestKind>(
  context: CommandContext,
  kind: Kind,
  words: Words<Kind>,
  exchange?: Exchange,
): Promise<Session<Kind>> => {
  const { signal, marker, service, component, workDirectory } = context;
  const { plugin = "", environment, user, silence } = context.options;
  const { options, secrets } = await bindOptions(context);
  const bound = await bindEnvironment(context.bind, environment);
  const other = user === undefined ? null : await runAsUser(user, signal);
  const timeoutMs = exchange === undefined ? null : dataTimeoutMs(context.options);
  return askPlugin(
    context,
    {
      path: plugin,
      group: {
        signal,
        marker,
        environment: { ...other?.environment, ...bound.variables },
        ...(other === null ? {} : { prefix: other.prefix }),
        ...(timeoutMs === null ? {} : { timeoutMs }),
        mayLeaveDaemon: daemons.has(kind),
        secrets: [...secrets, ...bound.secrets],
      },
      silenceMs: silence === undefined ? defaultSilenceMs : (parseDuration(silence) ?? defaultSilenceMs),
    },
    {
      kind,
      request: (hello) => {
        abilities.set(plugin, hello.can);
        checkOptions(component, hello, options);
        return {
          refloat: pluginProtocolVersion,
          request: kind,
          service,
          component,
          options,
          stable: stableNameOf(context),
          work: workDirectory,
          ...words,
        };
      },
      ...(exchange === undefined ? {} : { exchange }),
    },
  );
};

/** By program, what it said that it can: asked of it once in a process. */
const abilities = new Map<string, readonly string[]>();

const can = async (context: CommandContext, ability: PluginAbility): Promise<boolean> => {
  const { plugin = "" } = context.options;
  // Any request makes it say so; this one changes nothing and every plugin knows it.
  if (!abilities.has(plugin)) await ask(context, "inspect", { name: stableNameOf(context) });
  return abilities.get(plugin)?.includes(ability) === true;
};

const inspect = async (context: CommandContext, name: string): Promise<Presence> =>
  (await ask(context, "inspect", { name })).result.presence;

export const pluginTool: Tool = {
  capture: async (context, sink, root, progress) => {
    const streams: CapturedStream[] = [];
    const { hello, warnings } = await ask(context, "capture", {}, async (data, waiting) => {
      const reader = createFrameReader(data, waiting);
      for (;;) {
        const first = await reader.next();
        if (first === null) throw new TornData("its data is torn: it has no seal");
        if ("seal" in first) {
          if (first.seal !== streams.length)
            throw new TornData(`its data is torn: ${streams.length} streams came, and the seal says ${first.seal}`);
          if ((await reader.next()) !== null) throw new TornData("its data goes on after the seal");
          return;
        }
        const name = "stream" in first ? first.stream : first.end;
        if (streams.some((stream) => stream.name === name)) throw new TornData(`its stream ${name} comes twice`);
        const source = { bytes: readStream(reader, name, first), seal: async () => ({}) };
        const { sizeBytes, sha256 } = await sink.stream(`${root}/${name}`, source, context.signal, progress);
        streams.push({ name, sizeBytes, sha256 });
      }
    });
    return { streams, warnings, versions: { [hello.name]: hello.version } };
  },

  restore: async (context, { name, run, runUid }, sources) => {
    const streams = sources.map(({ name: stream, sizeBytes, sha256 }) => ({ name: stream, sizeBytes, sha256 }));
    const { warnings } = await ask(context, "restore", { name, run, runUid, streams }, async (data, waiting) => {
      if (!(await writeStreams(data, sources, waiting))) throw new TornData("it ended without reading all of the data");
    });
    return { warnings };
  },

  inspect,
  drop: async (context, name) => void (await ask(context, "drop", { name })),
  facts: async (context, name) =>
    (await can(context, "facts")) ? (await ask(context, "facts", { name })).result.facts : null,
  position: async (context, name) =>
    (await can(context, "position")) ? (await ask(context, "position", { name })).result.position : null,
  outputs: async (context, name) => {
    const own = { name: { value: name, secret: false } };
    if (!(await can(context, "outputs"))) return own;
    const { outputs } = (await ask(context, "outputs", { name })).result;
    const { secrets } = await bindOptions(context);
    const told = Object.entries(outputs).map(([output, { value, secret }]) => [
      output,
      // One that holds what was given as a secret is a secret, whether the plugin says so or not.
      { value, secret: secret === true || secrets.some((one) => one !== "" && value.includes(one)) },
    ]);
    return { ...Object.fromEntries(told), ...own };
  },
  canSwitch: (context) => can(context, "switch"),
  identity: async (context, name) => (await ask(context, "identity", { name })).result.identity,
  exchange: async (context, { incoming, outgoing, expected }) =>
    void (await ask(context, "switch", { incoming, outgoing, expected })),
  stop: async (context) => {
    if (await can(context, "stop")) await ask(context, "stop", {});
  },
  reload: async (context) => {
    if (await can(context, "reload")) await ask(context, "reload", {});
  },
  check: async (context) => {
    const findings = (await can(context, "check")) ? (await ask(context, "check", {})).result.findings : [];
    const { plugin = "" } = context.options;
    const asked = (kinds: readonly string[]): readonly string[] =>
      kinds.map((kind) => `${plugin}  # asked for ${kind}`);
    return {
      findings: findings.map(({ hint, ...finding }) => ({ ...finding, ...(hint === undefined ? {} : { hint }) })),
      commands: asked(["capture"]),
      recoveryCommands: asked(["inspect", "restore", "drop"]),
    };
  },
};
