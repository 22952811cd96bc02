/** Places in a real server's log, found in the stored bytes and compared with what the server and pg_waldump say of them. */
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { LogTargetFound } from "../../core/ports/logs.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { archiveAll, archiveOf, archivedLog, archiving, segmentBytes } from "../../testing/archived-log.ts";
import { describeOnReleases } from "../../testing/describe-on-releases.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { clusterTargets } from "./find-target.ts";
import { createLogSpan } from "../../testing/log-span.ts";

describeOnReleases("places in the log", (binaries) => {
  let server: PostgresServer;
  /** All that the tests look for. */
  let span: LogSpan;
  /** By what is looked for, where the server's log ended just before it and just after. */
  const around = new Map<string, { readonly xid: string; readonly from: string; readonly to: string }>();

  const sql = async (text: string): Promise<string> =>
    String(Object.values((await query(server.url("postgres"), text))[0] ?? {})[0]);
  const logEnd = () => sql("select pg_current_wal_insert_lsn()::text");

  /** Each in one session. @param xidOf the statement that tells which transaction is meant */
  const note = async (name: string, statements: readonly string[], xidOf: string | null): Promise<void> => {
    const from = await logEnd();
    await withClient(server.url("postgres"), async (client) => {
      let xid = "";
      for (const text of statements) {
        const { rows } = await client.query<Record<string, unknown>>(text);
        if (text === xidOf) xid = String(Object.values(rows[0] ?? {})[0]);
      }
      around.set(name, { xid, from, to: await logEnd() });
    });
  };

  const current = "select pg_current_xact_id()::xid::text as xid";
  const ofRow = (table: string) => `select xmin::text as xid from ${table} order by n desc limit 1`;

  beforeAll(async () => {
    server = await startPostgresServer({ binaries, settings: { ...archiving, max_prepared_transactions: "5" } });
    await sql("create table orders (n int)");
    await sql("create table dropped as select 1 as n");
    await sql("select pg_switch_wal()");
    const from = (bytesBefore(await logEnd()) / BigInt(segmentBytes)) * BigInt(segmentBytes);
    await note("plain", ["begin", "insert into orders values (1)", current, "commit"], current);
    await sql("select pg_create_restore_point('nightly')");
    await sql("select pg_create_restore_point('nightly')");
    await note("point", ["select pg_create_restore_point('vor dem Ändern')"], null);
    // What lies behind it is in other parts of the log.
    for (let file = 0; file < 3; file += 1) {
      await sql(`insert into orders select 100 + ${file}`);
      await sql("select pg_switch_wal()");
    }
    await note("rolled back", ["begin", "insert into orders values (2)", current, "rollback"], current);
    const caught = `do $$ begin for n in 1..5000 loop begin insert into orders values (1000 + n); exception when others then null; end; end loop; end $$`;
    await note("within", ["begin", caught, ofRow("orders"), "commit"], ofRow("orders"));
    await note(
      "prepared",
      [
        "begin",
        "drop table dropped",
        current,
        "prepare transaction 'later'",
        "insert into orders values (3)",
        "commit prepared 'later'",
      ],
      current,
    );
    await note(
      "unfinished",
      ["begin", "insert into orders values (4)", current, "prepare transaction 'never'"],
      current,
    );
    const to = await archiveAll(server);
    span = createLogSpan({ from: positionAfter(from), to });
  }, 300_000);

  afterAll(async () => {
    await query(server.url("postgres"), "rollback prepared 'never'");
    await server.stop();
  });

  const find = (word: string, sought: string, within: Partial<LogSpan> = {}): Promise<LogTargetFound | null> =>
    clusterTargets.find({
      word,
      sought,
      span: { ...span, ...within },
      read: archivedLog(archiveOf(server)).read,
      signal: new AbortController().signal,
    });

  /** What the server's own program says of the records of transactions: number, kind and begin of each. */
  const told = async (): Promise<ReadonlyMap<string, { readonly kind: string; readonly lsn: string }>> => {
    const archive = archiveOf(server);
    const { stdout } = await execa(
      join(server.binaries, "pg_waldump"),
      ["--rmgr=Transaction", "--path", archive, "--start", span.from, "--end", span.to],
      { reject: false },
    );
    const form =
      /tx:\s+(?<tx>\d+), lsn: (?<lsn>[0-9A-F]+\/[0-9A-F]+), .*desc: (?<kind>(?:COMMIT|ABORT)(?:_PREPARED)?) (?:(?<prepared>\d+):)?/;
    return new Map(
      stdout.split("\n").flatMap((line) => {
        const { tx, lsn, kind, prepared } = form.exec(line)?.groups ?? {};
        if (tx === undefined || lsn === undefined || kind === undefined) return [];
        return [[prepared ?? tx, { kind, lsn }] as const];
      }),
    );
  };

  const position = (text: string | undefined): number => Number(bytesBefore(text ?? "0/0"));
  const noted = (name: string) => around.get(name) ?? expect.fail(`${name} was not noted`);

  it("finds the end of every transaction where pg_waldump has it", { timeout: 300_000 }, async () => {
    const records = await told();
    const kinds = new Set([...records.values()].map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(["COMMIT", "ABORT", "COMMIT_PREPARED"]));
    for (const [number, { kind, lsn }] of records) {
      const found = await find("xid", number);
      expect(position(found?.before), `${kind} of ${number}`).toBe(position(lsn));
      expect(position(found?.after)).toBeGreaterThan(position(lsn));
      expect(found?.voidBecause).toBe(kind === "ABORT" ? `transaction ${number} was rolled back` : undefined);
    }
  });

  it.each(["plain", "within", "prepared"])("a transaction lies between what the server said: %s", async (name) => {
    const { xid, from, to } = noted(name);
    const found = await find("xid", xid);
    expect(position(found?.before)).toBeGreaterThan(position(from));
    expect(position(found?.after)).toBeLessThanOrEqual(position(to));
    expect(found?.voidBecause).toBeUndefined();
    expect(Math.abs(Date.parse(found?.at ?? "") - Date.now())).toBeLessThan(3_600_000);
  });

  it("a transaction that was rolled back is found as such, and one that has not ended is not found", async () => {
    const { xid } = noted("rolled back");
    expect(await find("xid", xid)).toMatchObject({ voidBecause: `transaction ${xid} was rolled back` });
    expect(await find("xid", noted("unfinished").xid)).toBeNull();
    expect(await find("xid", "4000000000")).toBeNull();
  });

  it("a restore point is found by its whole name, and of several of one name the newest", async () => {
    const { from, to } = noted("point");
    const found = await find("restore point", "vor dem Ändern");
    expect(position(found?.before)).toBeGreaterThanOrEqual(position(from));
    expect(position(found?.after)).toBeLessThanOrEqual(position(to));
    expect(await find("restore point", "vor dem")).toBeNull();
    const newest = await find("restore point", "nightly");
    expect(position(newest?.after)).toBeLessThanOrEqual(position(from));
    const older = await find("restore point", "nightly", { to: newest?.before ?? "0/0" });
    expect(position(older?.after)).toBeLessThanOrEqual(position(newest?.before));
  });

  it("is not found where its record is not whole, nor where the span begins behind it", async () => {
    const { xid } = noted("within");
    const found = await find("xid", xid);
    expect(position(found?.after) - position(found?.before)).toBeGreaterThan(8192);
    expect(await find("xid", xid, { to: positionAfter(BigInt(position(found?.after) - 8)) })).toBeNull();
    expect(await find("xid", xid, { to: found?.after ?? "0/0" })).toEqual(found);
    expect(await find("xid", xid, { from: found?.after ?? "0/0" })).toBeNull();
  });
});

it.each([
  ["xid", "1234", { sought: "1234" }],
  ["xid", "4294968530", { sought: "1234" }],
  ["xid", "2", { unfit: expect.any(String) as string }],
  ["xid", "12a", { unfit: expect.any(String) as string }],
  ["lsn", "0/3000060", { position: "0/3000060" }],
  ["lsn", "00000001/0a", { position: "1/A" }],
  ["lsn", "3000060", { unfit: expect.any(String) as string }],
  ["restore point", "a".repeat(64), { unfit: expect.any(String) as string }],
])("%s %s", (word, value, expected) => {
  expect(clusterTargets.words.find((one) => one.word === word)?.read(value)).toMatchObject(expected);
});
