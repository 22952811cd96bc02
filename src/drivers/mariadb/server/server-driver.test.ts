/** What a whole MariaDB server is refused for, before anything is done: programs of another series, another folder, a log outside; and a vault that fails within. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { CaptureSink } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { listProcesses, readPlaces, signalProcess, worksIn } from "../../../platform/process-table.ts";
import { createDirectorySink } from "../../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { dataOf, mariadbServerContext, mariadbServerDriver } from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";
import { captureServer } from "./capture.ts";
import { compareMarks } from "./writes.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: TestFolder;
let server: MariadbServer;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-driver");
  await mkdir(join(folder.path, "logs"));
  server = await startMariadbServer({
    settings: { "log-bin": join(folder.path, "logs/binlog"), "binlog-format": "ROW" },
  });
  await server.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY);");
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

/** A folder of programs that say to be of a version. */
const programsOf = async (name: string, version: string | null): Promise<string> => {
  const path = join(folder.path, name);
  await mkdir(path);
  for (const program of version === null ? [] : ["mariadbd", "mariadb-backup"]) {
    await writeFile(join(path, program), `#!/bin/sh\necho "${program} based on MariaDB server ${version}-MariaDB"\n`);
    await chmod(join(path, program), 0o755);
  }
  return path;
};

const sinkIn = async (name: string): Promise<CaptureSink> => {
  await mkdir(join(folder.path, name));
  return createDirectorySink(join(folder.path, name));
};

const backups = () =>
  listProcesses().filter(
    ({ pid }) =>
      worksIn(pid, dataOf(server)) === true && readPlaces(pid).executable?.endsWith("/mariadb-backup") === true,
  );

describe("a whole MariaDB server", () => {
  it("names the package of a program that is missing", async () => {
    const context = await mariadbServerContext(server, folder.path, { programs: await programsOf("none", null) });
    const { findings } = await mariadbServerDriver.preflight(context);
    expect(findings).toContainEqual(
      expect.objectContaining({ ok: false, subject: "mariadb-backup", nextCommand: "apt-get install mariadb-backup" }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({ ok: false, subject: "mariadbd", nextCommand: "apt-get install mariadb-server" }),
    );
    await expect(captureServer(context, await sinkIn("vault-1"), null)).rejects.toMatchObject({
      code: "program.missing",
    });
  });

  it("is read by programs of its own series alone", async () => {
    const context = await mariadbServerContext(server, folder.path, { programs: await programsOf("newer", "12.3.1") });
    await expect(captureServer(context, await sinkIn("vault-2"), null)).rejects.toMatchObject({
      code: "program.version",
      message: expect.stringMatching(/^mariadb-backup here is of MariaDB 12\.3\.1, and the files are of \d/),
    });
  });

  it("is not captured as another folder than the one that it works in", async () => {
    const context = await mariadbServerContext(server, folder.path, { data: join(folder.path, "elsewhere") });
    await expect(captureServer(context, await sinkIn("vault-3"), null)).rejects.toMatchObject({
      code: "source.unsupported",
      message: expect.stringContaining("not in "),
    });
  });

  it("is not switched while its binary log lies outside, where the log of both sides would be one", async () => {
    const context = await mariadbServerContext(server, folder.path);
    const { findings } = await mariadbServerDriver.preflight(context);
    expect(findings.find(({ subject }) => subject === "binary log")).toMatchObject({ ok: false });
    const names = { incoming: `${context.options.data}.r1`, outgoing: `${context.options.data}.old1` };
    await expect(mariadbServerDriver.switching.observe(context, names)).rejects.toMatchObject({
      code: "cutover.refused",
      message: expect.stringContaining(join(folder.path, "logs/binlog")),
    });
  });

  it("is let go of when the vault fails, and says why", async () => {
    const context = await mariadbServerContext(server, folder.path);
    const sink = await sinkIn("vault-4");
    const full = new RefloatError("vault.no-space", "the vault is full");
    const failing: CaptureSink = {
      ...sink,
      stream: async (path, source, ...rest) => {
        if (path.endsWith("/ibdata1")) throw full;
        return sink.stream(path, source, ...rest);
      },
    };
    await expect(captureServer(context, failing, null)).rejects.toBe(full);
    expect(backups()).toEqual([]);
    await server.sql("INSERT INTO shop.orders VALUES (1); DELETE FROM shop.orders;");
  });

  it("is no point where its program was killed", async () => {
    const context = await mariadbServerContext(server, folder.path);
    const sink = await sinkIn("vault-6");
    const killing: CaptureSink = {
      ...sink,
      bytes: async (path, content) => {
        for (const row of backups()) signalProcess(row, "SIGKILL");
        return sink.bytes(path, content);
      },
    };
    await expect(captureServer(context, killing, null)).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringContaining("mariadb-backup was ended by SIGKILL"),
    });
  });

  it("is not waited for when what it sends cannot be read, however much more there is", async () => {
    const [version = ""] = /^[\d.]+/.exec(await server.sql("SELECT VERSION();")) ?? [];
    const programs = await programsOf("odd", version);
    const says = `case "$*" in *--version*) echo "mariadb-backup based on MariaDB server ${version}-MariaDB" ;; *) exec head -c 20000000 /dev/zero ;; esac`;
    await writeFile(join(programs, "mariadb-backup"), `#!/bin/sh\n${says}\n`);
    const context = await mariadbServerContext(server, folder.path, { programs });
    await expect(captureServer(context, await sinkIn("vault-7"), null)).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringContaining("a chunk does not begin as chunks do"),
    });
  });

  it("ends a capture that is aborted by the signal's reason", async () => {
    const stopping = new AbortController();
    const context = { ...(await mariadbServerContext(server, folder.path)), signal: stopping.signal };
    const reason = new Error("the operator has changed his mind");
    const sink = await sinkIn("vault-5");
    const aborting: CaptureSink = {
      ...sink,
      bytes: async (path, content) => {
        stopping.abort(reason);
        return sink.bytes(path, content);
      },
    };
    await expect(captureServer(context, aborting, null)).rejects.toBe(reason);
    expect(backups()).toEqual([]);
  });
});

describe("what was written to a server", () => {
  const counts = { added: 10, changed: 5, removed: 1, definitions: 2 };
  const mark = { life: "7/100", counts, binlog: { file: "binlog.000001", position: 400 }, continues: null };

  it("is nothing where neither the counts nor the log have gone on", () => {
    expect(compareMarks(mark, mark)).toEqual({ units: [], gaps: [] });
  });

  it("is told by the counts of the same process, and by the log of another one", () => {
    const more = { ...mark, counts: { ...counts, added: 13 }, binlog: { file: "binlog.000001", position: 900 } };
    expect(compareMarks(mark, more).units).toEqual([
      { name: "all databases", added: 3, changed: 0, removed: 0, counted: "rows" },
    ]);
    const other = { ...more, life: "8/200" };
    expect(compareMarks(mark, other)).toMatchObject({
      units: [],
      gaps: [expect.stringContaining("by the binary log")],
    });
    expect(compareMarks({ ...mark, binlog: null }, other).gaps[0]).toContain("cannot be told");
  });

  it("is not nothing where somebody has set the counts to 0", () => {
    const none = { added: 1, changed: 0, removed: 0, definitions: 0 };
    const blind = { ...mark, binlog: null };
    expect(compareMarks(blind, { ...blind, counts: none }).gaps[0]).toContain("cannot be told");
    const behind = { ...blind, life: "9/300", counts: none, continues: { from: "7/100", counts: none } };
    expect(compareMarks(blind, behind).gaps[0]).toContain("cannot be told");
  });

  it("goes on from an instance to the server that has its data", () => {
    const instance = { ...mark, binlog: null };
    const none = { added: 0, changed: 0, removed: 0, definitions: 0 };
    const behind = { ...mark, life: "9/300", counts: none, continues: { from: "7/100", counts } };
    expect(compareMarks(instance, behind)).toEqual({ units: [], gaps: [] });
    const trial = { ...behind, continues: { from: "7/100", counts: { ...counts, added: 12 } } };
    expect(compareMarks(instance, { ...trial, counts: { ...none, added: 1 } }).units).toMatchObject([{ added: 3 }]);
  });
});
