/** Services whose log is received while a test goes on, and moments between what is done in it, by the server's own clock. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findFreePort } from "../../../src/testing/free-port.ts";
import type { MariadbServer } from "../../../src/testing/mariadb-server.ts";
import type { PostgresServer } from "../../../src/testing/postgres-server.ts";
import { query } from "../../../src/testing/query.ts";
import { declareIn } from "./declare.ts";
import type { RefloatProgram } from "./refloat-program.ts";

/** Resolves when all up to the moment (ISO) is in the vault. */
export type ReceivedUntil = (at: string) => Promise<void>;

/**
 * Receives the log of the service `shop` while `act` goes on, which begins once the first of it is stored.
 * @param stir of a quiet server little is told: called each second while something is waited for
 */
export const whileReceiving = async (
  refloat: RefloatProgram,
  act: (receivedUntil: ReceivedUntil) => Promise<void>,
  stir: () => void = () => undefined,
): Promise<void> => {
  const receiving = refloat.spawn(["capture", "shop", "--continuous", "--json", "--every", "500ms"]);
  try {
    const events = createInterface({ input: receiving.stdout })[Symbol.asyncIterator]();
    const receivedUntil: ReceivedUntil = async (at) => {
      const stirring = setInterval(stir, 1_000);
      try {
        for (;;) {
          const { done, value } = await events.next();
          if (done === true) throw new Error("the receiver has ended");
          const { data } = JSON.parse(value) as { data: { readonly type: string; readonly at?: string } };
          if (data.type === "durable" && Date.parse(data.at ?? "") > Date.parse(at)) return;
        }
      } finally {
        clearInterval(stirring);
      }
    };
    await receivedUntil(new Date(0).toISOString());
    await act(receivedUntil);
    receiving.kill("SIGTERM");
    await receiving;
  } finally {
    receiving.kill("SIGKILL");
  }
};

/** @returns the server's own time, a while after the last commit and before the next */
export const laterOnPostgres = async (server: PostgresServer): Promise<string> => {
  const [row] = await query<{ at: Date }>(
    server.url("postgres"),
    "select clock_timestamp() as at from (select pg_sleep(1.5)) slept",
  );
  await query(server.url("postgres"), "select pg_sleep(1.5)");
  return (row?.at ?? new Date(0)).toISOString();
};

/** The same of a MariaDB server. */
export const laterOnMariadb = async (server: MariadbServer): Promise<string> => {
  const at = await server.sql("SELECT FLOOR(UNIX_TIMESTAMP(SYSDATE(6)) * 1000) FROM (SELECT SLEEP(1.5)) slept;");
  await server.sql("SELECT SLEEP(1.5);");
  return new Date(Number(at)).toISOString();
};

/** The service `shop` whose one component `db` is the whole cluster of the server. @param more further lines of the component */
export const declareCluster = async (
  folder: string,
  server: PostgresServer,
  more: readonly string[] = [],
): Promise<void> => {
  const port = await findFreePort(4);
  const lines = [
    "type: postgres-cluster",
    `data: ${join(server.directory, "data")}`,
    `url: ${server.url("postgres")}`,
    `ports: ${port}-${port + 3}`,
    `programs: ${server.binaries}`,
    ...more,
  ];
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
${lines.map((line) => `        ${line}\n`).join("")}`,
  );
};
