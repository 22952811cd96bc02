/** The tcp check: a connection is accepted. What is said on it is not looked at. */
import { createConnection } from "node:net";
import { z } from "zod";
import type { CheckContext, CheckDriver } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../../platform/system-error.ts";

const optionsSchema = z
  .strictObject({
    tcp: z.string().min(1).meta({ description: "host:port to connect to, such as ${self.address} or [::1]:25." }),
  })
  .meta({ description: "A TCP connection is accepted." });
type TcpOptions = z.infer<typeof optionsSchema>;

/** `host:port`, `[::1]:25`. */
const readAddress = (text: string): { readonly host: string; readonly port: number } => {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new RefloatError("config.invalid", `"${text}" is no address for a tcp check: write host:port`);
};

const connectOnce = async (address: ReturnType<typeof readAddress>, signal: AbortSignal): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createConnection({ ...address, signal });
  socket.once("connect", () => resolve());
  // A second error after the first (the abort of a refused connection) has nobody left to tell.
  socket.on("error", reject);
  try {
    await promise;
  } finally {
    socket.destroy();
  }
};

const runTcpCheck = async (context: CheckContext, options: TcpOptions): Promise<CheckOutcome> => {
  const bound = await context.bind(options.tcp);
  const address = readAddress(bound.value);
  const began = context.clock.monotonicMs();
  const outcome = (status: "passed" | "failed", found: string): CheckOutcome => ({
    subject: `tcp: ${bound.secret ? options.tcp : bound.value}`,
    kind: "tcp",
    status,
    found,
    durationMs: context.clock.monotonicMs() - began,
  });
  const limit = AbortSignal.timeout(context.timeoutMs);
  try {
    await connectOnce(address, AbortSignal.any([context.signal, limit]));
    return outcome("passed", "connected");
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted) return outcome("failed", `no connection in ${context.timeoutMs / 1_000} s`);
    return outcome("failed", describeSystemError(error));
  }
};

export const tcpCheck: CheckDriver<TcpOptions> = {
  kind: "tcp",
  summary: "A TCP connection is accepted.",
  options: optionsSchema,
  run: runTcpCheck,
};
