/** capture --continuous, in the foreground: a line for each log while it comes, and what the vault has when it ends. */
import { eventEnvelope } from "../contract/envelope.ts";
import { type ReceiveLogsEvent, receiveLogs } from "../operations/receive-logs.ts";
import { type LogState, describeLogState, renderReceivedLogs } from "../render/log-states.ts";
import { type CommandContext, type CommandResult, answer } from "./command.ts";
import { showProgress, sparsely } from "./live-progress.ts";

export const captureContinuously = async (
  { service, everyMs }: { readonly service: string; readonly everyMs: number },
  { bench: open, output, signal }: CommandContext,
): Promise<CommandResult> => {
  const bench = await open();
  const screen = output.screen(bench.host.timeZone);
  const states = new Map<string, LogState>();
  const frame = (): string =>
    states.size === 0
      ? `receiving the logs of ${service}: opening the vault`
      : [...states.values()].map((state) => describeLogState(state, screen)).join("\n");
  const progress = showProgress(output, { frame, line: () => frame().replaceAll("\n", "; ") });
  const tell = sparsely(bench.clock, (event: ReceiveLogsEvent) => output.event(eventEnvelope("capture-log", event)));
  const onEvent = (event: ReceiveLogsEvent): void => {
    const { component } = event;
    const known = states.get(component) ?? { component, durable: null, waiting: null };
    const was = known.waiting;
    if (event.type === "durable") states.set(component, { component, durable: event, waiting: null });
    else if (event.type === "waiting") states.set(component, { ...known, waiting: event.reason });
    else states.set(component, known);
    if (event.type === "durable") tell(event);
    else if (event.type !== "waiting" || event.reason !== was) output.event(eventEnvelope("capture-log", event));
    const line = lineOf(event, was);
    if (line === null) return;
    if (event.type === "gap" || event.type === "warning") output.note(line);
    else progress.told(line);
  };
  try {
    const received = await receiveLogs(bench, { service, everyMs, onEvent, signal });
    const now = bench.clock.now().toISOString();
    return answer("capture-log", received, renderReceivedLogs(received, now, screen));
  } finally {
    progress.stop();
  }
};

/** What is worth keeping on a screen or in a journal; null for what is only so at this moment. */
const lineOf = (event: ReceiveLogsEvent, waited: string | null): string | null => {
  const { component } = event;
  switch (event.type) {
    case "begin":
      return `${component}  goes on from ${event.from === null ? "where its source is now" : event.from.toAt}`;
    case "durable":
      return waited === null ? null : `${component}  goes on, stored to ${event.at}`;
    case "waiting":
      return event.reason === waited ? null : `${component}  waits for the ${event.for}: ${event.reason}`;
    case "gap":
      return `warning GAP in the log of ${component}: ${event.reason}. Nothing between then and now can be reached; next: ${event.nextCommand}`;
    case "warning":
      return `warning ${component}: ${event.message}; ${event.hint}`;
    default:
      return event satisfies never;
  }
};
