/**
 * Holds a restored server against the facts of its point. A key whose time has passed since the capture is not loaded, as it would not be there on
 * the live server: so keys without a time are compared, and of the others it is told how many have ended.
 */
import { beginFacts } from "../../core/components/fact-outcomes.ts";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import type { Facts } from "../../model/facts.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { type CapturedDetail, capturedDetailSchema } from "./captured-detail.ts";
import { resolveTarget } from "./connection-target.ts";
import { instanceTarget } from "./instance-server.ts";
import { type RedisOptions, dataPathOf } from "./redis-options.ts";
import { type RedisSession, withRedis } from "./redis-session.ts";
import { type KeyCounts, keyCountsIn, readInfo } from "./server-facts.ts";

type Compared = { readonly failed: readonly string[]; readonly ended: number };

const none: KeyCounts = { keys: 0, expiring: 0 };

const compareKeys = (
  found: Readonly<Record<string, KeyCounts>>,
  units: Facts["units"],
  expiring: NonNullable<CapturedDetail["expiring"]>,
): Compared => {
  const failed: string[] = [];
  let ended = 0;
  for (const name of new Set([...Object.keys(found), ...Object.keys(units)])) {
    const here = found[name] ?? none;
    const then: KeyCounts = { keys: units[name]?.rows ?? 0, expiring: expiring[name] ?? 0 };
    const [lasting, captured] = [here.keys - here.expiring, then.keys - then.expiring];
    if (lasting !== captured)
      failed.push(
        `${name}: ${countOf(lasting, "key")} without a time to end, captured ${captured.toLocaleString("en-US")}`,
      );
    if (here.expiring > then.expiring)
      failed.push(
        `${name}: ${countOf(here.expiring, "key")} with a time to end, captured ${then.expiring.toLocaleString("en-US")}`,
      );
    ended += Math.max(0, then.expiring - here.expiring);
  }
  return { failed, ended };
};

const countFunctions = async (session: RedisSession): Promise<number> => {
  const listed = await session.ask("FUNCTION", "LIST");
  return Array.isArray(listed) ? listed.length : 0;
};

export const validateRedis: InstanceOperations<RedisOptions>["validate"] = async (context, target, facts) => {
  const outcome = beginFacts(context);
  const detail = capturedDetailSchema.parse(facts.detail);
  const place = await locateInstance(await dataPathOf(context), target);
  const serves = place.presence === "done" && place.serves;
  const server = serves ? await resolveTarget(context) : await instanceTarget(context, target.name);
  const seen = await withRedis({ target: server, signal: context.signal }, async (session) => ({
    keys: keyCountsIn(await readInfo(session, "keyspace")),
    functions: detail.functions === 0 ? 0 : await countFunctions(session),
  }));
  const { failed, ended } =
    detail.expiring === null ? { failed: [], ended: 0 } : compareKeys(seen.keys, facts.units, detail.expiring);
  const all = [
    ...failed,
    ...(seen.functions === detail.functions
      ? []
      : [`${seen.functions} libraries of functions, captured ${detail.functions}`]),
  ];
  if (all.length > 0) return all.map((found) => outcome("failed", "keys", found));
  const total = Object.values(seen.keys).reduce((sum, { keys }) => sum + keys, 0);
  const since = ended === 0 ? "" : `; of ${countOf(ended, "key")} the time has ended since`;
  return [
    outcome(
      "passed",
      "keys by database, functions",
      detail.expiring === null
        ? `${countOf(total, "key")} loaded; how many were captured is not known`
        : `${countOf(total, "key")} as captured${since}`,
    ),
  ];
};
