/** What tests of the `mariadb-server` driver share: contexts for a test server, captures in a real vault, the content of a data folder that no server runs on. */
import { join } from "node:path";
import type { ComponentDriver } from "../core/ports/driver.ts";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";
import type { Repository } from "../core/ports/vault.ts";
import { mariadbBundle } from "../drivers/mariadb/mariadb-bundle.ts";
import { captureServer } from "../drivers/mariadb/server/capture.ts";
import { readInstanceRecord } from "../drivers/mariadb/server/instance-server.ts";
import { endServer, findServer } from "../drivers/mariadb/server/server-process.ts";
import type { ServerContext, ServerOptions } from "../drivers/mariadb/server/server-options.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { startApart } from "../platform/folder-server/start-apart.ts";
import { ownerOf } from "../platform/folder-server/folder-owner.ts";
import { runProgram } from "../platform/subprocess.ts";
import { waitUntil } from "../platform/wait-until.ts";
import { createTestContext } from "./driver-context.ts";
import { findFreePort } from "./free-port.ts";
import type { MariadbServer } from "./mariadb-server.ts";

const found = mariadbBundle.components.find(({ type }) => type === "mariadb-server");
if (found === undefined) throw new Error("the bundle has no driver");
export const mariadbServerDriver: ComponentDriver = found;

export const dataOf = (server: MariadbServer): string => join(server.directory, "data");

/** @param folder for working files and captures */
export const mariadbServerContext = async (
  server: MariadbServer,
  folder: string,
  more: Partial<ServerOptions> & { readonly values?: Readonly<Record<string, string>> } = {},
): Promise<ServerContext> => {
  const { values, ...options } = more;
  const port = await findFreePort(4);
  return createTestContext<ServerOptions>({
    options: { data: dataOf(server), url: server.url(""), ports: `${port}-${port + 3}`, ...options },
    folder,
    component: "db",
    ...(values === undefined ? {} : { values }),
  });
};

/** Captures as one snapshot. @param through what is put between the driver and the vault */
export const captureServerInto = async (
  context: ServerContext,
  vault: Repository,
  through: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  const writer = await vault.beginSnapshot({ hostname: "test", time: new Date(), tags: [], paths: ["/db"] });
  try {
    const report = await captureServer(context, through(writer), null);
    const { id, newBytes } = await writer.commit();
    return {
      name: "db",
      driver: "mariadb-server",
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

const never = new AbortController().signal;

const dump = async (socket: string, database: string): Promise<string> => {
  const { stdout } = await runProgram(
    "mariadb-dump",
    [
      "--no-defaults",
      "--user=root",
      `--socket=${socket}`,
      "--skip-dump-date",
      "--skip-comments",
      "--skip-extended-insert",
      "--hex-blob",
      "--routines",
      "--triggers",
      database,
    ],
    { signal: never },
  );
  return stdout;
};

/** As the stock mariadb-dump sees it. @param folder a data folder; a server is started on one that has none for as long as it takes */
export const contentOf = async (
  context: ServerContext,
  server: MariadbServer,
  folder: string,
  database: string,
): Promise<string> => {
  if (folder === dataOf(server)) return dump(join(server.directory, "s"), database);
  if ((await readInstanceRecord(folder)) !== null && (await findServer(folder)) !== null)
    return dump(join(folder, "refloat-instance.sock"), database);
  const socket = join(context.workDirectory, "s");
  const owner = await ownerOf(folder, never);
  const words = [
    "--no-defaults",
    `--datadir=${folder}`,
    `--socket=${socket}`,
    "--skip-networking",
    "--event-scheduler=OFF",
  ];
  const asRoot = owner.uid === 0 ? ["--user=root"] : [];
  await startApart(context, owner, {
    folder,
    log: join(context.workDirectory, "other.log"),
    words: ["mariadbd", ...words, `--tmpdir=${context.workDirectory}`, `--pid-file=${socket}.pid`, ...asRoot],
  });
  try {
    let content = "";
    await waitUntil(context, 60_000, () =>
      dump(socket, database).then(
        (text) => {
          content = text;
          return true;
        },
        () => false,
      ),
    );
    return content;
  } finally {
    await endServer(context, folder, "SIGTERM");
  }
};
