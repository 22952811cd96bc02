/** A session that holds what others of a test server wait for, until it is told to let go: no test has to guess for how long. */
import { setTimeout as delay } from "node:timers/promises";
import type { MariadbServer } from "./mariadb-server.ts";

/** Longer than any test. */
const seconds = 3600;

/**
 * @param script takes the locks
 * @returns once they are taken: how to end the session, with its transaction undone
 * @throws what the server says of the script
 */
export const holdOnMariadb = async (
  server: MariadbServer,
  script: string,
  database?: string,
): Promise<() => Promise<void>> => {
  const state: { ended?: Promise<never> } = {};
  const session = server.sql(`${script} SELECT SLEEP(${seconds});`, database).then(
    () => undefined,
    (error: unknown) => {
      state.ended = Promise.reject(error);
      state.ended.catch(() => undefined);
    },
  );
  const find = async (): Promise<string> =>
    (
      await server.sql(`SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(${seconds})';`)
    ).trimEnd();
  let id = await find();
  for (; id === ""; id = await find()) {
    await state.ended;
    await delay(20);
  }
  return async () => {
    await server.sql(`KILL ${id};`);
    await session;
  };
};
