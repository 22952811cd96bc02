/**
 * `node examples/shop/load/main.ts --url http://127.0.0.1:8080 --log customers.jsonl [--rate 30] [--seconds 600]`
 * Runs customers against a shop until the time is over or Ctrl-C; prints each incident. Exit code 1 if there was one.
 */
import { parseArgs } from "node:util";
import { setTimeout as delay } from "node:timers/promises";
import { Customers } from "./customers.ts";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    log: { type: "string" },
    rate: { type: "string", default: "30" },
    seconds: { type: "string", default: "600" },
  },
});
if (values.url === undefined || values.log === undefined) {
  process.stderr.write("error usage: --url and --log are needed\n");
  process.exit(2);
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());

const customers = new Customers({
  url: values.url,
  ordersPerSecond: Number(values.rate),
  logPath: values.log,
  calm: { durationMs: 2_000, answers: 20 },
  patienceMs: 5_000,
});
await customers.begin();
await delay(Number(values.seconds) * 1000, undefined, { signal: stop.signal }).catch(() => undefined);
await customers.end();
for (const { beganAt, endedAt, reason, badAnswers } of customers.incidents) {
  process.stdout.write(
    `${beganAt.toISOString()} to ${endedAt?.toISOString() ?? "now"}: ${reason}; ${badAnswers} bad answers\n`,
  );
}
process.stdout.write(`${customers.acknowledged.length} orders\n`);
process.exitCode = customers.incidents.length === 0 ? 0 : 1;
