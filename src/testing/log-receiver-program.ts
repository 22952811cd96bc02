/** A receiver of a test server's log as a process of its own, so that tests can kill it. The order comes in ORDER; each event is a line. */
import type { DriverContext } from "../core/ports/driver.ts";
import type { LogReceiving } from "../core/ports/logs.ts";
import { receiveBinlog } from "../drivers/mariadb/binlog-receiver.ts";
import { receiveClusterLog } from "../drivers/postgres-cluster/receive-log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { createLogs } from "../vault/points/logs.ts";
import { openRepository } from "../vault/repository/open-repository.ts";
import { createTestContext } from "./driver-context.ts";

const receivers = { mariadb: receiveBinlog, "postgres-cluster": receiveClusterLog } satisfies Record<
  string,
  (context: DriverContext<{ url: string }>, request: LogReceiving) => Promise<void>
>;

export type ReceiverOrder = {
  readonly driver: keyof typeof receivers;
  readonly url: string;
  readonly vault: string;
  readonly password: string;
  readonly folder: string;
  readonly everyMs: number;
};

const { driver, url, vault, password, folder, everyMs } = JSON.parse(process.env["ORDER"] ?? "{}") as ReceiverOrder;
const ending = new AbortController();
process.on("SIGTERM", () => ending.abort(new Error("told to end")));
const context = createTestContext({ options: { url }, folder, component: "db", signal: ending.signal });
const repository = await openRepository(vault, password, { clock: systemClock });
const logs = createLogs({ repository, clock: systemClock, lockFor: async () => null });
let appended = 0;
const name = { service: context.service, component: context.component };
await receivers[driver](context, {
  held: await logs.spans(context.service),
  history: async (line) => (await logs.reader(name)).history(line),
  read: async function* read(...stretch) {
    yield* (await logs.reader(name)).read(...stretch);
  },
  append: async (piece, content) => {
    await logs.append(piece, content);
    appended += 1;
    if (appended % 5 === 0) await logs.compact(name, ending.signal);
  },
  everyMs,
  report: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
});
await repository.close();
