/** What a switch does to sequences, on a real server. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Session, openSession } from "../../platform/postgres/session.ts";
import { clusterContext, dataOf } from "../../testing/cluster-bench.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { readControlData } from "./control-data.ts";
import { writeSequenceRecord } from "./sequence-record.ts";
import { carrySequencesOver, describeCarried, moveIn } from "./sequences.ts";

let server: PostgresServer;
let session: Session;

beforeAll(async () => {
  server = await startPostgresServer();
  const { host, port, superuser: user } = server;
  session = await openSession({
    target: { host, port, user, database: "postgres", password: null, tls: "disable", tlsRootCertificate: null },
    marker: "sequences-test",
    role: "target",
    signal: new AbortController().signal,
  });
});

afterAll(async () => {
  await session.close();
  await server.stop();
});

test("a sequence that was altered after the point keeps none of the others from going on", async () => {
  await query(
    server.url("postgres"),
    `create schema "Sales";
     create sequence a as smallint; create sequence b; create sequence "Sales"."c;" increment -1; create sequence d cycle; create sequence e;
     select nextval('a'), nextval('b'), setval('"Sales"."c;"', -5), nextval('d'), setval('e', 70)`,
  );
  const old = new Map<string, bigint>([
    // Of the type bigint on the old side.
    [JSON.stringify(["public", "a"]), 40_000n],
    [JSON.stringify(["public", "b"]), 9_007_199_254_740_993n],
    [JSON.stringify(["Sales", "c;"]), -8n],
    [JSON.stringify(["public", "d"]), 60n],
    [JSON.stringify(["public", "e"]), 69n],
    [JSON.stringify(["public", "gone"]), 1n],
  ]);
  const said = { moved: [], left: [] };
  await moveIn(session, old, "shop", said);
  expect(said).toEqual({
    moved: ["shop: Sales.c; goes on after -8 (was at -5)", "shop: b goes on after 9007199254740993 (was at 1)"],
    left: [
      "shop: a cannot go as far as 40000, which the old side has given out: it was left at 1; alter it as it was altered after the point, then set it",
      "shop: d cycles; it was left at 1",
    ],
  });
  expect(
    await query(
      server.url("postgres"),
      `select nextval('a') as a, nextval('b')::text as b, nextval('"Sales"."c;"') as c, nextval('d') as d, nextval('e') as e`,
    ),
  ).toEqual([{ a: "2", b: "9007199254740994", c: "-9", d: "2", e: "71" }]);
});

const carried = { stoppedAt: "", moved: ["shop: orders_id_seq goes on after 7 (was at 5)"], left: ["shop: d cycles"] };

test("what a switch that was killed has said is kept by the next attempt, and goes with any other switch", async () => {
  const folder = await createTestFolder("refloat-sequences");
  try {
    const context = await clusterContext(server, folder.path);
    const stopped = dataOf(server);
    const { systemIdentifier, timeline, position } = await readControlData(context, stopped);
    await writeSequenceRecord(folder.path, { ...carried, stoppedAt: `${systemIdentifier} ${timeline} ${position}` });
    // It is no instance any more: it was made ready to be exchanged.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await carrySequencesOver(context, stopped, folder.path);
      expect(await describeCarried(folder.path)).toEqual([...carried.moved, ...carried.left]);
    }
    await query(server.url("postgres"), "create table written ()");
    await query(server.url("postgres"), "checkpoint");
    await carrySequencesOver(context, stopped, folder.path);
    expect(await describeCarried(folder.path)).toEqual([]);
    expect(await readdir(folder.path)).not.toContain("refloat-sequences.json");
  } finally {
    await folder.remove();
  }
});

test("a server sends its folder with what is kept of it there", async () => {
  await writeSequenceRecord(join(server.directory, "data"), carried);
  const parent = await mkdtemp(join(tmpdir(), "refloat-sequences-"));
  try {
    const { exitCode, stderr } = await execa(
      join(server.binaries, "pg_basebackup"),
      ["-h", server.host, "-p", String(server.port), "-U", server.superuser, "-D", join(parent, "copy"), "-c", "fast"],
      { reject: false },
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});
