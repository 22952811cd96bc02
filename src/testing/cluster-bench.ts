/** What tests of the `postgres-cluster` driver share: a real cluster as a source, captures in a folder, and the content of a data folder that no server runs on. */
import { join } from "node:path";
import { findFreePort } from "./free-port.ts";
import type { Client } from "pg";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";
import type { Repository } from "../core/ports/vault.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { systemClock } from "../platform/system-clock.ts";
import { createRepository } from "../vault/repository/create-repository.ts";
import { copiedRowMending } from "../drivers/postgres/mend/copied-row-mending.ts";
import { postgresClusterBundle } from "../drivers/postgres-cluster/postgres-cluster-bundle.ts";
import { captureCluster } from "../drivers/postgres-cluster/capture.ts";
import type { ClusterContext, ClusterOptions } from "../drivers/postgres-cluster/cluster-options.ts";
import { findPostmaster, startPostmaster, stopPostmaster } from "../drivers/postgres-cluster/postmaster.ts";
import type { ComponentDriver } from "../core/ports/driver.ts";
import { createTestContext } from "./driver-context.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { withClient } from "./query.ts";

const [driver] = postgresClusterBundle(copiedRowMending).components;
if (driver === undefined) throw new Error("the bundle has no driver");
export const clusterDriver: ComponentDriver = driver;

export const dataOf = (server: PostgresServer): string => join(server.directory, "data");

/** @param folder for working files and captures */
export const clusterContext = async (
  server: PostgresServer,
  folder: string,
  changes: Partial<ClusterContext> & { readonly more?: Partial<ClusterOptions> } = {},
): Promise<ClusterContext> => {
  const { more, ...rest } = changes;
  const port = await findFreePort(4);
  const options: ClusterOptions = {
    data: dataOf(server),
    url: server.url("postgres"),
    ports: `${port}-${port + 3}`,
    programs: server.binaries,
    ...more,
  };
  return { ...createTestContext({ options, folder, component: "db" }), ...rest };
};

export const vaultPassword = "password";

/** A real vault below `folder`, since a cluster has a thousand small files. */
export const createVault = (folder: string): Promise<Repository> =>
  createRepository(join(folder, "vault"), vaultPassword, { clock: systemClock });

/** Captures as one snapshot. @param through what is put between the driver and the vault */
export const captureClusterInto = async (
  context: ClusterContext,
  vault: Repository,
  through: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  const writer = await vault.beginSnapshot({ hostname: "test", time: new Date(), tags: [], paths: ["/db"] });
  try {
    const report = await captureCluster(context, through(writer));
    const { id, newBytes } = await writer.commit();
    return {
      name: "db",
      driver: "postgres-cluster",
      snapshot: id,
      sizeBytes: report.facts.sizeBytes,
      newBytes,
      finishedAt: report.window.endAt,
      ...report,
    };
  } finally {
    await writer.abort();
  }
};

/** A port on loopback of whatever server runs on a data folder; one that does not run is started for as long as `act` takes. */
export const withServerOf = async <Result>(
  context: ClusterContext,
  folder: string,
  database: string,
  act: (client: Client) => Promise<Result>,
): Promise<Result> => {
  const url = (port: number): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const running = await findPostmaster(folder);
  if (running !== null) return withClient(url(running.port), act);
  const port = await findFreePort();
  const options = `-p ${port} -c unix_socket_directories=''`;
  await startPostmaster(context, folder, { options, log: join(folder, "refloat-server.log") });
  try {
    return await withClient(url(port), act);
  } finally {
    await stopPostmaster(context, folder);
  }
};

/** All rows of the tables of a database, in one comparable string. */
export const contentOf = async (client: Client): Promise<string> => {
  const { rows: tables } = await client.query<{ name: string }>(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public' order by 1",
  );
  const contents: string[] = [];
  for (const { name } of tables) {
    const { rows } = await client.query<{ content: string }>(
      `select coalesce(string_agg(t::text, E'\\n' order by t::text), '') as content from ${name} t`,
    );
    contents.push(`${name}\n${rows[0]?.content}`);
  }
  return contents.join("\n");
};
