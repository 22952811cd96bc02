/**
 * capture --continuous: receives the logs of a service's components into the vault for as long as it is told to. One process for each component;
 * what the vault cannot take for a while waits at the source.
 */
import { audited } from "../core/audit/audited.ts";
import { type ComponentAccess, withComponents } from "../core/components/component-access.ts";
import { findService } from "../core/declaration/find-service.ts";
import type { LogEvent, LogReceiving } from "../core/ports/logs.ts";
import type { LogName } from "../core/ports/vault-logs.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { ServiceDeclaration } from "../model/declaration.ts";
import type { LogSpan } from "../model/log-span.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";

export type ReceiveLogsEvent = { readonly component: string } & (
  | LogEvent
  /** `from` is what the vault has already. */
  | { readonly type: "begin"; readonly from: LogSpan | null }
);

export type ReceiveLogsOptions = {
  readonly service: string;
  readonly everyMs: number;
  readonly onEvent: (event: ReceiveLogsEvent) => void;
  readonly signal: AbortSignal;
};

/** What the vault has of each component when it ends. */
export type ReceivedLogs = { readonly service: string; readonly spans: readonly LogSpan[] };

const compactEveryMs = 30_000;
const longestWaitMs = 30_000;
/** What an operator, or the next try, mends: until then the source keeps what it has. */
const passing = new Set(["vault.unreachable", "vault.store-failed", "vault.no-space", "vault.locked"]);

/** Returns once aborted. @throws RefloatError service.unknown, source.unsupported, source.denied, run.in-progress, vault.* */
export const receiveLogs = async (bench: Workbench, options: ReceiveLogsOptions): Promise<ReceivedLogs> => {
  const service = findService(await bench.declaration(), options.service);
  const { logs } = await bench.vault();
  const components = Object.values(service.components)
    .filter(({ type }) => bench.registry.components.get(type)?.logs !== undefined)
    .map(({ name }) => name);
  if (components.length === 0) throw noLogs(bench, service);
  const leases = await bench.leases();
  const held: { readonly release: () => Promise<void> }[] = [];
  try {
    for (const component of components) held.push(await acquire(leases, service.name, component));
    await audited(
      bench.audit,
      { action: "receive", service: service.name, detail: { components } },
      () => receiveAll(bench, service, components, options),
      () => ({ detail: {} }),
    );
    return { service: service.name, spans: await logs.spans(service.name) };
  } finally {
    for (const lease of held) await lease.release();
  }
};

const noLogs = ({ registry }: Workbench, { name }: ServiceDeclaration): RefloatError => {
  const types = [...registry.components.values()].filter(({ logs }) => logs !== undefined).map(({ type }) => type);
  return new RefloatError("source.unsupported", `no component of ${name} has a log that can be received`, {
    hint: `types with one: ${types.join(", ")}; the others go back to the points that were taken`,
    nextCommand: `refloat capture ${name}`,
  });
};

const acquire = async (leases: Awaited<ReturnType<Workbench["leases"]>>, service: string, component: string) => {
  try {
    return await leases.acquire(`${service}.${component}.log`, "refloat capture --continuous");
  } catch (error) {
    if (!(error instanceof RefloatError && error.code === "run.in-progress")) throw error;
    throw new RefloatError("run.in-progress", `the log of ${component} is being received: ${error.message}`, {
      cause: error,
      state: "nothing was changed",
      hint: "one process receives a log; it runs under systemd, or in another terminal",
      nextCommand: "refloat status",
    });
  }
};

/** The first one that cannot go on ends the others in order. */
const receiveAll = async (
  bench: Workbench,
  service: ServiceDeclaration,
  components: readonly string[],
  options: ReceiveLogsOptions,
): Promise<void> => {
  const failing = new AbortController();
  const signal = AbortSignal.any([options.signal, failing.signal]);
  const marker = `refloat/receive/${service.name}`;
  await withComponents(bench, { service, locate: () => null, marker, signal }, async (access) => {
    let going = components.length;
    const receivers = components.map(async (component) => {
      try {
        await receiveOne(bench, access, { service: service.name, component }, { ...options, signal });
      } catch (error) {
        going -= 1;
        // A source without such a log is no reason to leave what the others write at theirs.
        const { code, message, hint } = toRefloatError(error);
        if (code === "source.unsupported" && going > 0 && !signal.aborted) {
          options.onEvent({ component, type: "warning", message: `not received: ${message}`, hint: hint ?? "" });
          return;
        }
        failing.abort(error);
        throw error;
      }
    });
    const failed = (await Promise.allSettled(receivers)).find((one) => one.status === "rejected");
    if (failed !== undefined) throw failing.signal.reason;
  });
};

/** A log alone brings nothing back: it leads on from a point. */
const warnWithoutPoint = async (
  bench: Workbench,
  { service, component }: LogName,
  report: (event: LogEvent) => void,
) => {
  const points = await (await bench.vault()).points.list(service);
  if (points.some(({ manifest }) => manifest.components[component] !== undefined)) return;
  report({
    type: "warning",
    message: `no point of ${service} has it yet: until one is taken, nothing of this log can be reached`,
    hint: `take one, also while this goes on: refloat capture ${service}`,
  });
};

const receiveOne = async (
  bench: Workbench,
  access: ComponentAccess,
  name: LogName,
  { everyMs, onEvent, signal }: ReceiveLogsOptions,
): Promise<void> => {
  const { logs } = await bench.vault();
  const { component } = name;
  const report = (event: LogEvent): void => onEvent({ component, ...event });
  const held = (await logs.spans(name.service)).filter((span) => span.component === component);
  onEvent({ component, type: "begin", from: held.at(-1) ?? null });
  await warnWithoutPoint(bench, name, report);
  let joining: Promise<void> | null = null;
  let joinedMs = bench.clock.monotonicMs();
  const join = async (): Promise<void> => {
    try {
      await logs.compact(name, signal);
    } catch (error) {
      // The small pieces are there: nothing is lost, and the next time all of it is joined.
      const { message } = toRefloatError(error);
      if (!signal.aborted) bench.log.warn("pieces of a log were not joined", { ...name, reason: message });
    } finally {
      joining = null;
    }
  };
  const append: LogReceiving["append"] = async (piece, content) => {
    await appendAtLast(bench, report, signal, () => logs.append(piece, content));
    if (joining !== null || bench.clock.monotonicMs() - joinedMs < compactEveryMs) return;
    joinedMs = bench.clock.monotonicMs();
    joining = join();
  };
  const history: LogReceiving["history"] = async (line) => {
    try {
      return await (await logs.reader(name)).history(line);
    } catch (error) {
      const { code, message } = toRefloatError(error);
      if (code !== "vault.damaged") throw error;
      // Old damage is verify's to tell, and no reason to leave what is written now at the source.
      bench.log.warn("how a line of a log began cannot be read", { ...name, line, reason: message });
      return null;
    }
  };
  const read: LogReceiving["read"] = async function* read(...stretch) {
    yield* (await logs.reader(name)).read(...stretch);
  };
  try {
    const context = await access.context(component);
    await access.driver(component).logs?.receive(context, { held, history, read, append, everyMs, report });
  } finally {
    await (joining as Promise<void> | null);
  }
};

const appendAtLast = async (
  { clock }: Workbench,
  report: (event: LogEvent) => void,
  signal: AbortSignal,
  append: () => Promise<void>,
): Promise<void> => {
  for (let waitMs = 1000; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      await append();
      return;
    } catch (error) {
      const { code, message } = toRefloatError(error);
      // Told to end, it leaves to the source what the vault does not take.
      if (!passing.has(code) || signal.aborted) throw error;
      report({ type: "waiting", for: "vault", reason: message });
      await clock.sleep(waitMs, signal);
    }
  }
};
