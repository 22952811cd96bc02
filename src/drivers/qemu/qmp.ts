/**
 * The QEMU Machine Protocol: one JSON object a line, a greeting, then an answer to each command, events anywhere between.
 * https://www.qemu.org/docs/master/interop/qmp-spec.html
 *
 * A machine talks to one client at a time; the next one waits for the end of that one. So a conversation is short, and has a deadline.
 */
import { connect } from "node:net";
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";

const messageSchema = z.object({
  QMP: z.unknown().optional(),
  return: z.unknown().optional(),
  error: z.object({ class: z.string(), desc: z.string() }).optional(),
  event: z.string().optional(),
});
type Message = z.infer<typeof messageSchema>;

export type Qmp = {
  /** @returns what the machine answers @throws RefloatError program.failed */
  readonly ask: (command: string, words?: Readonly<Record<string, unknown>>) => Promise<unknown>;
};

/** Longest that a machine may take for one conversation, on a machine that is loaded. */
const conversationMs = 20_000;

const silent = (cause: unknown): RefloatError =>
  new RefloatError("program.failed", "the machine does not answer on its control socket (QMP)", { cause });

/**
 * Talks to the machine at a Unix socket, and hangs up.
 * @throws RefloatError program.failed when nobody answers there, or not in time; the signal's reason when it aborts
 */
export const talkTo = async <Result>(
  path: string,
  signal: AbortSignal,
  talk: (machine: Qmp) => Promise<Result>,
): Promise<Result> => {
  signal.throwIfAborted();
  const messages: Message[] = [];
  let received = "";
  let end: unknown = null;
  let wake: () => void = () => undefined;
  const socket = connect(path);
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    received += text;
    const lines = received.split("\n");
    received = lines.pop() ?? "";
    try {
      for (const line of lines) if (line.trim() !== "") messages.push(messageSchema.parse(JSON.parse(line)));
    } catch (error) {
      socket.destroy(error as Error);
    }
    wake();
  });
  socket.on("error", (error) => (end ??= error));
  socket.on("close", () => {
    end ??= new Error("the connection was closed");
    wake();
  });
  const whole = AbortSignal.any([signal, AbortSignal.timeout(conversationMs)]);
  const abort = (): void => void socket.destroy(whole.reason as Error);
  whole.addEventListener("abort", abort);

  const next = async (isMeant: (message: Message) => boolean): Promise<Message> => {
    for (;;) {
      const message = messages.shift();
      if (message !== undefined && isMeant(message)) return message;
      if (message !== undefined) continue;
      if (end !== null) throw silent(end);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const ask: Qmp["ask"] = async (command, words) => {
    socket.write(`${JSON.stringify({ execute: command, ...(words === undefined ? {} : { arguments: words }) })}\n`);
    const answer = await next((message) => message.return !== undefined || message.error !== undefined);
    if (answer.error !== undefined)
      throw new RefloatError("program.failed", `the machine refuses ${command}: ${answer.error.desc}`);
    return answer.return;
  };
  try {
    await next(({ QMP }) => QMP !== undefined);
    await ask("qmp_capabilities");
    return await talk({ ask });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    whole.removeEventListener("abort", abort);
    socket.destroy();
  }
};
