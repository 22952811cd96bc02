/**
 * A server that lives no longer than we do, reached only by a socket in a private
 * folder. It writes to nothing but its own folder, and keeps nothing.
 */
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { readControlData } from "../control-data.ts";
import { quietSettings } from "../instance-server.ts";
import { findPostmaster } from "../postmaster.ts";
import { startChildServer } from "../../../platform/folder-server/child-server.ts";
import type { Owner } from "../../../platform/folder-server/folder-owner.ts";

export type ServerPlace = {
  /** Holds the data folder and what the server is started with. */
  readonly root: string;
  readonly data: string;
  /** Where its socket lies: a path that is short enough for one. */
  readonly sockets: string;
  readonly owner: Owner;
  /** Folder of its programs. */
  readonly programs: string;
  readonly major: number;
};

export type TemporaryServer = {
  /** Resolves when it accepts work. @throws RefloatError target.failed with its last words; what `heard` threw */
  readonly ready: () => Promise<void>;
  /** At once; nothing of it runs when this resolves. Idempotent; never throws. */
  readonly stop: () => Promise<void>;
  /** Stops it and listens to its last word. @throws what `heard` threw */
  readonly end: () => Promise<void>;
};

export const serverPort = 5432;

const lookAgainMs = 20;

const settingsFor = (place: ServerPlace, atLeast: Readonly<Record<string, string>>) => ({
  config_file: join(place.root, "server.conf"),
  hba_file: join(place.root, "server.hba"),
  ident_file: join(place.root, "server.ident"),
  listen_addresses: "",
  port: String(serverPort),
  unix_socket_directories: place.sockets,
  ...quietSettings(atLeast),
  autovacuum: "off",
  restart_after_crash: "off",
  // Nobody needs it after a crash.
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  // Said to us, in words that can be read.
  lc_messages: "C",
  log_line_prefix: "",
  log_min_messages: "warning",
  log_error_verbosity: "terse",
  // A page of a hollow file may be named by a record that does not bring it (a bit of the visibility map); each such page is said, and `heard` judges it.
  ignore_invalid_pages: "on",
  ...(place.major < 17 ? {} : { event_triggers: "off" }),
});

/**
 * @param recovery settings for the replay of its log
 * @param heard is given each line that the server says; what it throws ends the server
 */
export const startTemporaryServer = async (
  context: ClusterContext,
  place: ServerPlace,
  recovery: Readonly<Record<string, string>>,
  heard: (line: string) => void,
): Promise<TemporaryServer> => {
  const { settings } = await readControlData(context, place.data, place.owner);
  const words = Object.entries({ ...settingsFor(place, settings), ...recovery }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`,
  ]);
  const { stop, end, hasEnded, lastWords, requireSound } = await startChildServer(context, place.owner, {
    words: [join(place.programs, "postgres"), "-D", place.data, ...words],
    ending: "SIGQUIT",
    heard,
  });
  const ready = async (): Promise<void> => {
    for (;;) {
      requireSound();
      if (hasEnded()) {
        await end();
        throw new RefloatError("target.failed", `the temporary server does not start: ${lastWords()}`, {
          hint: "its folder is in TMPDIR, which its user has to be able to enter",
        });
      }
      if ((await findPostmaster(place.data))?.ready === true) return requireSound();
      await context.clock.sleep(lookAgainMs, context.signal);
    }
  };
  return { ready, stop, end };
};

/** Whoever can enter the socket's folder is let in: its owner, and root. */
export const writeServerFiles = async ({ root }: Pick<ServerPlace, "root">): Promise<void> => {
  await writeFile(join(root, "server.conf"), "", { mode: 0o600 });
  await writeFile(join(root, "server.hba"), "local all all trust\n", { mode: 0o600 });
  await writeFile(join(root, "server.ident"), "", { mode: 0o600 });
};
