/** Receives the log of the server that a component's url names, into whatever takes its pieces. */
import type { DriverContext } from "../../core/ports/driver.ts";
import type { LogReceiving } from "../../core/ports/logs.ts";
import type { ConnectionKeys } from "../../platform/postgres/connection-keys.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { serverError } from "../../platform/postgres/server-errors.ts";
import { type SessionOptions, withSession } from "../../platform/postgres/session.ts";
import { receiveWal } from "./wal-receiver.ts";
import { readSlot, slotName } from "./wal-slot.ts";
import { openWalConnection } from "./wal-stream.ts";

/** @throws RefloatError source.denied, source.unsupported, config.invalid, secret.unavailable */
export const receiveClusterLog = async (
  context: DriverContext<ConnectionKeys>,
  request: LogReceiving,
): Promise<void> => {
  const { service, component, clock, marker, signal } = context;
  // Each time anew: a password may have been changed since. An abort is to end in order, so it cuts no connection.
  const session = async (): Promise<SessionOptions> => ({
    target: await resolveTarget(context),
    marker,
    role: "source",
    signal: new AbortController().signal,
  });
  const { target } = await session();
  const slot = slotName(service, component);
  await receiveWal(
    {
      slot,
      connect: async () => openWalConnection(await session()),
      readSlot: async () => withSession(await session(), ({ query }) => readSlot(query, slot)),
      translate: (error) => serverError(error, target, "source"),
    },
    { ...request, of: { service, component, driver: "postgres-cluster" }, clock, signal },
  );
};
