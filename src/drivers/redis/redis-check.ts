/** The redis check: one command that only reads, asked of whatever stands for the component. */
import { z } from "zod";
import type { CheckContext, CheckDriver, Outputs } from "../../core/ports/driver.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { parseRedisUrl } from "./connection-target.ts";
import { type Reply, withRedis } from "./redis-session.ts";

/** Answers in one value, and nothing is written: a check is asked of the source too. */
const readers: ReadonlySet<string> = new Set([
  "PING",
  "DBSIZE",
  "EXISTS",
  "TYPE",
  "TTL",
  "GET",
  "STRLEN",
  "HGET",
  "HEXISTS",
  "HLEN",
  "LLEN",
  "LINDEX",
  "SCARD",
  "SISMEMBER",
  "ZCARD",
  "ZCOUNT",
  "ZSCORE",
  "XLEN",
]);

/** Words as a shell parts them: quotes hold blanks together. */
const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/"(?<double>(?:[^"\\]|\\.)*)"|'(?<single>[^']*)'|(?<plain>\S+)/g)].map(
    ({ groups }) => groups?.["plain"] ?? groups?.["single"] ?? (groups?.["double"] ?? "").replaceAll(/\\(.)/g, "$1"),
  );

const isReader = (line: string): boolean => readers.has((wordsOf(line)[0] ?? "").toUpperCase());

const redisCheckOptionsSchema = z
  .strictObject({
    redis: z
      .string()
      .refine(isReader, `a check asks by one of ${[...readers].join(", ")}`)
      .meta({ description: "A command that reads one value: PING, DBSIZE, GET product:1, HGET user:1 name, ..." }),
    expect: z
      .union([z.string(), z.number()])
      .optional()
      .meta({ description: "The answer that is right. When left out: any that is not nil, 0 or empty." }),
    atLeast: z.number().optional().meta({ description: "The smallest number that is right, as for DBSIZE." }),
  })
  .meta({ description: "A command of the component's own server answers as it should." });
type RedisCheckOptions = z.infer<typeof redisCheckOptionsSchema>;

const foundLength = 200;

const describeReply = (reply: Reply): string => {
  const text = reply === null ? "nil" : Array.isArray(reply) ? `${reply.length} values` : String(reply);
  return text.length <= foundLength ? text : `${text.slice(0, foundLength)}...`;
};

const isRight = (reply: Reply, { expect, atLeast }: RedisCheckOptions): boolean => {
  if (reply === null) return false;
  if (expect !== undefined && String(reply) !== String(expect)) return false;
  if (atLeast !== undefined && !(Number(reply) >= atLeast)) return false;
  return expect !== undefined || atLeast !== undefined || (reply !== 0 && reply !== "" && reply !== "none");
};

const runRedisCheck = async (context: CheckContext, options: RedisCheckOptions): Promise<CheckOutcome> => {
  const bound = await context.bind(options.redis);
  const beganMs = context.clock.monotonicMs();
  const outcome = (status: "passed" | "failed", found: string): CheckOutcome => ({
    subject: `redis: ${bound.secret ? options.redis : bound.value}`,
    kind: "redis",
    ...(context.component === null ? {} : { component: context.component }),
    status,
    found,
    durationMs: context.clock.monotonicMs() - beganMs,
  });
  const limit = AbortSignal.timeout(context.timeoutMs);
  try {
    const target = parseRedisUrl(context.outputs["url"]?.value ?? "");
    const signal = AbortSignal.any([context.signal, limit]);
    const reply = await withRedis({ target, signal }, async ({ ask }) => {
      if (target.database !== 0) await ask("SELECT", String(target.database));
      return ask(...wordsOf(bound.value));
    });
    return outcome(isRight(reply, options) ? "passed" : "failed", describeReply(reply));
  } catch (error) {
    context.signal.throwIfAborted();
    if (limit.aborted) return outcome("failed", `no answer in ${context.timeoutMs / 1_000} s`);
    if (error instanceof RefloatError && error.code !== "bug") return outcome("failed", error.message);
    throw error;
  }
};

const isRedis = ({ url }: Outputs): boolean => url !== undefined && /^rediss?:/.test(url.value);

export const redisCheck: CheckDriver<RedisCheckOptions> = {
  kind: "redis",
  summary: "A command of the component's own Redis server answers as it should.",
  options: redisCheckOptionsSchema,
  answers: isRedis,
  run: runRedisCheck,
};
