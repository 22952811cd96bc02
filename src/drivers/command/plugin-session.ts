/**
 * One request to a plugin: a process is started, says who it is, is asked one thing, answers, and ends. What it says is believed only
 * if all of it is there: a result, its data sealed, exit status 0.
 */
import type { Duplex } from "node:stream";
import type { DriverContext } from "../../core/ports/driver.ts";
import {
  type PluginHello,
  type PluginMessage,
  type PluginRequestKind,
  type PluginResult,
  pluginHelloSchema,
  pluginMessageSchema,
  pluginProtocolVersion,
  pluginResultSchemas,
} from "../../model/plugin-protocol.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type GroupOptions, startGroup } from "../../platform/process-group.ts";
import { TornData } from "./plugin-frames.ts";
import { describeEnd, hintOfEnd, drainMs, keepEnd, lastLines, redact } from "../../platform/shell-line.ts";

export type PluginSettings = {
  readonly path: string;
  readonly group: GroupOptions & { readonly secrets: readonly string[] };
  /** After so long without a word, or a byte, it counts as hung. */
  readonly silenceMs: number;
};

/** What is done with the data while the plugin works. @param waiting to be told when the plugin is waited for */
export type Exchange = (data: Duplex, waiting: (isWaiting: boolean) => void) => Promise<void>;

export type Session<Kind extends PluginRequestKind> = {
  readonly hello: PluginHello;
  readonly result: PluginResult<Kind>;
  readonly warnings: readonly string[];
};

type Ask<Kind extends PluginRequestKind> = {
  readonly kind: Kind;
  /** The request's line, made once it is known who answers. @throws RefloatError config.invalid */
  readonly request: (hello: PluginHello) => object;
  readonly exchange?: Exchange;
};

const lineBytes = 1024 * 1024;

const redactAll = <Value>(value: Value, secrets: readonly string[]): Value => {
  if (typeof value === "string") return redact(value, secrets) as Value;
  if (Array.isArray(value)) return value.map((item: unknown) => redactAll(item, secrets)) as Value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, redactAll(item as unknown, secrets)]),
  ) as Value;
};

/** A secret in a line that is quoted: as it is, within a string of JSON, or a line of it. */
const formsOf = (secret: string): readonly string[] => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  ...secret.split("\n").filter((line) => line !== secret && line.trim().length >= shortestLine),
];
const shortestLine = 8;

/** Lines of a stream, none longer than it may be. */
async function* linesOf(source: AsyncIterable<Buffer>, tooLong: () => RefloatError): AsyncIterable<string> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (let at = held.indexOf(0x0a); at >= 0; at = held.indexOf(0x0a)) {
      if (at > lineBytes) throw tooLong();
      yield held.subarray(0, at).toString("utf8");
      held = held.subarray(at + 1);
    }
    if (held.length > lineBytes) throw tooLong();
  }
  if (held.length > 0) yield held.toString("utf8");
}

/** @throws RefloatError program.version, program.failed, or what the plugin says; the signal's reason when aborted */
export const askPlugin = async <Kind extends PluginRequestKind>(
  context: Pick<DriverContext, "component" | "log" | "progress" | "signal">,
  settings: PluginSettings,
  ask: Ask<Kind>,
): Promise<Session<Kind>> => {
  const { signal, component } = context;
  signal.throwIfAborted();
  const { path, silenceMs } = settings;
  const { secrets: declared, ...options } = settings.group;
  const secrets = [...new Set(declared.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
  // What is cut before it is redacted may end within a secret. An output may be a secret that nobody has declared.
  const quoted = (text: string, length = 100): string =>
    ask.kind === "outputs" ? "(outputs are not shown)" : redact(text, secrets).slice(0, length);
  const group = startGroup([path], options, { stdin: true, data: true });
  const { stdin, stdout, stderr, data } = group;
  if (stdin === null || data === null) throw new RefloatError("bug", "a plugin was started without its pipes");
  // Somebody reads from the first: what nobody reads flows into nothing when a child ends.
  for (const pipe of [stdout, data]) pipe.on("readable", () => undefined);
  let said = "";
  stderr.setEncoding("utf8").on("data", (text: string) => (said = keepEnd(said, text)));
  stdin.on("error", () => undefined);
  let dataError: unknown;
  data.on("error", (error) => (dataError = error));

  let name = path;
  const failed = (why: string, cause?: unknown, hint: { readonly hint?: string } = {}): RefloatError => {
    const last = lastLines(redact(said, secrets), 5);
    return new RefloatError(
      "program.failed",
      `${ask.kind} of ${component} by ${name} failed: ${why}${last === "" ? "" : `: ${last}`}`,
      {
        ...(cause === undefined ? {} : { cause }),
        ...hint,
        context: { component, plugin: path, request: ask.kind },
      },
    );
  };

  const noJson = (line: string): RefloatError => failed(`it writes what is no JSON: ${JSON.stringify(quoted(line))}`);

  // The first fault decides; whatever follows from its end is only its echo.
  let fault: unknown;
  const stop = (error: unknown): void => {
    fault ??= error;
    group.end();
  };
  // What it says of itself goes before what its end looks like from outside.
  let told: RefloatError | undefined;
  let silentSeconds = 0;
  let isBusy = false;
  const waiting = (isWaiting: boolean): void => {
    isBusy = !isWaiting;
    silentSeconds = 0;
  };
  const watch = setInterval(() => {
    silentSeconds = isBusy ? 0 : silentSeconds + 1;
    if (silentSeconds * 1_000 > silenceMs) stop(failed(`nothing was heard of it for ${silenceMs / 1_000}s`));
  }, 1_000);

  let hello: PluginHello | undefined;
  let result: PluginResult<Kind> | undefined;
  const warnings: string[] = [];
  let exchanged: Promise<void> = Promise.resolve();

  const greet = (line: string): void => {
    const parsed = readJson(line, () => noJson(line));
    const version = (parsed as { refloat?: unknown } | null)?.refloat;
    if (typeof version === "number" && version !== pluginProtocolVersion)
      throw new RefloatError(
        "program.version",
        `${path} speaks version ${version} of the plugin protocol, and this Refloat version ${pluginProtocolVersion}`,
        { hint: "install a plugin, or a Refloat, that fits the other" },
      );
    const read = pluginHelloSchema.safeParse(parsed);
    if (!read.success) throw failed(`its first line is no hello: ${quoted(JSON.stringify(parsed))}`);
    hello = read.data.hello;
    name = redact(`${hello.name} ${hello.version}`, secrets);
    stdin.end(`${JSON.stringify(ask.request(hello))}\n`);
    if (ask.exchange === undefined) data.destroy();
    else exchanged = ask.exchange(data, waiting).finally(() => waiting(true));
    exchanged.catch(stop);
  };

  const hear = (message: PluginMessage): void => {
    if (result !== undefined) throw failed("it goes on after its result");
    if ("progress" in message) reportProgress(context, message.progress);
    else if ("log" in message) context.log[message.log.level](message.log.message, { component, plugin: name });
    else if ("warning" in message) warnings.push(message.warning);
    else if ("error" in message) {
      const { code, message: text, hint } = message.error;
      told ??= new RefloatError(code, `${component}: ${text} (${name})`, {
        context: { component, plugin: path, request: ask.kind },
        ...(hint === undefined ? {} : { hint }),
      });
    } else {
      const read = pluginResultSchemas[ask.kind].safeParse(message.result);
      if (!read.success) throw failed(`its result is none: ${quoted(JSON.stringify(message.result), 200)}`);
      result = read.data as PluginResult<Kind>;
    }
  };

  const listen = async (): Promise<void> => {
    const tooLong = () => failed(`it writes a line of more than ${lineBytes} bytes`);
    for await (const line of linesOf(stdout as AsyncIterable<Buffer>, tooLong)) {
      silentSeconds = 0;
      if (hello === undefined) greet(line);
      else {
        const parsed = readJson(line, () => noJson(line));
        const read = pluginMessageSchema.safeParse(parsed);
        if (!read.success) throw failed(`it writes what is no message: ${quoted(JSON.stringify(parsed))}`);
        // What an output holds is told by its result alone, and is marked as a secret there.
        hear(ask.kind === "outputs" && "result" in read.data ? read.data : redactAll(read.data, secrets));
      }
    }
  };

  try {
    const listening = listen().catch(stop);
    const [exitCode, endedBy] = await group.exited;
    await Promise.race([Promise.all([listening, exchanged.catch(() => undefined)]), afterEnd(group.closed)]);
    signal.throwIfAborted();
    const ended = { exitCode, endedBy, timedOut: group.hasTimedOut() };
    const end = describeEnd(ended);
    if (told !== undefined) throw told;
    if (fault instanceof TornData) {
      // SIGTERM is what we have sent for it.
      const ends = end === null || endedBy === "SIGTERM" ? [] : [end];
      const results = end === null && result === undefined ? ["it ended without a result"] : [];
      throw failed([...ends, ...results, fault.message].join("; "), fault);
    }
    if (fault !== undefined) throw fault;
    if (end !== null) throw failed(end, undefined, hintOfEnd(ended));
    if (hello === undefined || result === undefined) throw failed("it ended without a result");
    if (ask.exchange !== undefined && dataError !== undefined) throw failed("it ended without reading all of the data");
    await exchanged;
    return { hello, result, warnings };
  } catch (error) {
    group.kill();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(watch);
    group.release();
  }
};

const readJson = (line: string, invalid: () => RefloatError): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    throw invalid();
  }
};

/** Something that it left in the background may hold its pipes open for ever. */
const afterEnd = (closed: Promise<void>): Promise<void> =>
  closed.then(() => new Promise((resolve) => setTimeout(resolve, drainMs).unref()));

const reportProgress = (
  { progress }: Pick<DriverContext, "progress">,
  { unit, itemsDone, itemsTotal }: Extract<PluginMessage, { progress: unknown }>["progress"],
): void => {
  if (unit === undefined || itemsDone === undefined) return;
  progress({ unit, bytesDone: 0, itemsDone, ...(itemsTotal === undefined ? {} : { itemsTotal }) });
};
