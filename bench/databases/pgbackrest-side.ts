/**
 * pgBackRest as a careful administrator sets it up: zstd at the level that Refloat has, two processes, small files in bundles, an encrypted
 * repository, the log archived and fetched ahead of need, a full backup first and incremental ones every day.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort } from "../../src/testing/free-port.ts";
import { query } from "../../src/testing/query.ts";
import { type Measured, measureProcess } from "../recovery/measured-process.ts";
import { type Bank, database } from "./bank.ts";
import { type Contestant, bytesBelow } from "./contestant.ts";

const stanza = "bank";

/** PostgreSQL's programs refuse root, and its files belong to its own user. */
export const asServer = (words: readonly string[]): readonly string[] =>
  process.getuid?.() === 0
    ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", ...words]
    : words;

const run = (words: readonly string[], cwd = "/"): Promise<Measured> => {
  const [program = "", ...args] = asServer(words);
  return measureProcess(program, args, { cwd });
};

const give = (path: string): void => {
  if (process.getuid?.() === 0) spawnSync("chown", ["-R", "postgres:postgres", path]);
};

/** @param folder is made */
export const pgBackRestSide = (bank: Bank, folder: string, password: string): Contestant => {
  const { server } = bank;
  const configuration = join(folder, "pgbackrest.conf");
  const repository = join(folder, "repository");
  let backups = 0;
  let restores = 0;

  const call = (...words: readonly string[]): Promise<Measured> =>
    run(["pgbackrest", `--config=${configuration}`, `--stanza=${stanza}`, ...words]);

  const configure = (): void => {
    rmSync(folder, { recursive: true, force: true });
    for (const name of ["repository", "spool", "lock", "log"]) mkdirSync(join(folder, name), { recursive: true });
    const global = {
      "repo1-path": repository,
      "repo1-bundle": "y",
      "repo1-cipher-type": "aes-256-cbc",
      "repo1-cipher-pass": password,
      "repo1-retention-full": 9,
      "compress-type": "zst",
      "compress-level": 3,
      "process-max": 2,
      "start-fast": "y",
      "archive-async": "y",
      "spool-path": join(folder, "spool"),
      "lock-path": join(folder, "lock"),
      "log-path": join(folder, "log"),
      "log-level-console": "error",
      "log-level-file": "off",
    };
    const own = {
      "pg1-path": join(server.directory, "data"),
      "pg1-port": server.port,
      "pg1-socket-path": server.socketDirectory,
      "pg1-user": server.superuser,
    };
    const lines = (of: Readonly<Record<string, string | number>>): string =>
      Object.entries(of)
        .map(([name, value]) => `${name}=${value}\n`)
        .join("");
    writeFileSync(configuration, `[global]\n${lines(global)}\n[${stanza}]\n${lines(own)}`, { mode: 0o600 });
    give(folder);
  };

  const archiveBy = async (command: string): Promise<void> => {
    await query(bank.url, `alter system set archive_command = '${command.replaceAll("'", "''")}'`);
    await query(bank.url, "select pg_reload_conf()");
  };

  return {
    name: "pgbackrest",
    begin: async () => {
      // What was written before belongs to no repository.
      await archiveBy("true");
      await query(bank.url, "select pg_switch_wal()");
      await sleep(1000);
      configure();
      backups = 0;
      await call("stanza-create");
      await archiveBy(`pgbackrest --config=${configuration} --stanza=${stanza} archive-push %p`);
    },
    capture: async () => {
      backups += 1;
      return call(`--type=${backups === 1 ? "full" : "incr"}`, "backup");
    },
    awaitLog: async () => {
      const [before] = await query<{ name: string }>(bank.url, "select pg_walfile_name(pg_switch_wal()) as name");
      for (;;) {
        const [row] = await query<{ name: string | null }>(
          bank.url,
          "select last_archived_wal as name from pg_stat_archiver",
        );
        if ((row?.name ?? "").slice(0, 24) >= (before?.name ?? "")) return;
        await sleep(100);
      }
    },
    restore: async () => {
      restores += 1;
      const data = join(server.directory, `pgbackrest-${restores}`);
      mkdirSync(data, { mode: 0o700 });
      give(data);
      const port = await findFreePort();
      const url = `postgres://postgres@127.0.0.1:${port}/${database}`;
      const options = `-p ${port} -c unix_socket_directories='' -c archive_mode=off`;
      const control = ["-D", data, "-s", "-w", "-t", "3600"];
      const pgControl = join(server.binaries, "pg_ctl");
      const beganMs = performance.now();
      const { wallMs } = await call(`--pg1-path=${data}`, "--archive-mode=off", "restore");
      await run([pgControl, ...control, "-l", join(folder, "restored.log"), "-o", options, "start"]);
      // It lets in who reads before it has come to the end of the log.
      for (;;) {
        const [row] = await query<{ waits: boolean }>(url, "select pg_is_in_recovery() as waits").catch(() => []);
        if (row?.waits === false) break;
        await sleep(20);
      }
      return {
        runningMs: performance.now() - beganMs,
        wholeMs: wallMs,
        url,
        remove: async () => {
          await run([pgControl, ...control, "-m", "immediate", "stop"]);
          rmSync(data, { recursive: true, force: true });
        },
      };
    },
    bytes: () => bytesBelow(repository),
    captureBytes: () => bytesBelow(join(repository, "backup")),
    end: () => archiveBy("true"),
  };
};
