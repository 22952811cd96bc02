/** The audit log in a vault, with stock restic as the judge of its form. */
import { rm } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ChainedEntry, chainEntry } from "../../src/core/audit/audit-chain.ts";
import { verifyAuditLog } from "../../src/core/audit/verify-log.ts";
import type { AuditArchive } from "../../src/core/ports/audit-log.ts";
import type { Repository } from "../../src/core/ports/vault.ts";
import { silentLog } from "../../src/platform/log.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createAuditArchive } from "../../src/vault/points/audit-archive.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

requireRestic();

const writer = "00000000-0000-4000-8000-00000000000a";

const chainOf = (length: number): readonly ChainedEntry[] => {
  const chain: ChainedEntry[] = [];
  for (let n = 0; n < length; n += 1) {
    const last = chain.at(-1);
    const event = {
      writer,
      at: new Date(Date.UTC(2026, 10, 22, 16, 0, n)).toISOString(),
      by: { user: "ada", host: "shop-1", tool: "0.1.0" },
      action: "verify",
      outcome: "done",
      ends: null,
      service: "shop",
      detail: { n, note: 'commas, "quotes" and \n lines, as names may have them' },
      seen: {},
    };
    chain.push(chainEntry(event, last === undefined ? null : { sequence: n, hash: last.hash }));
  }
  return chain;
};

const archiveOf = (repository: Repository): AuditArchive =>
  createAuditArchive(repository, { hostname: "shop-1", clock: systemClock, log: silentLog });

const proofOf = async (repository: Repository) =>
  verifyAuditLog(
    { ...(await archiveOf(repository).read()), anchors: [] },
    { points: new Set(), departed: new Set(), recorded: [] },
  );

describe("entries of the audit log", () => {
  let folder: TestFolder;
  let vault: string;
  let repository: Repository;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-audit");
    vault = `${folder.path}/vault`;
    repository = await createRepository(vault, password, { clock: systemClock });
  });

  afterEach(async () => {
    await repository.close();
    await folder.remove();
  });

  it("are snapshots that restic lists, checks, keeps and hands out", async () => {
    const chain = chainOf(5);
    for (const { text } of chain) await archiveOf(repository).append(text);
    await repository.close();
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    // restic's usual policies group by host and path; none of them takes an entry away.
    await restic(vault, "forget", "--keep-last", "1", "--prune");
    expect(await restic(vault, "check")).toContain("no errors were found");
    const listed = JSON.parse(await restic(vault, "snapshots", "--tag", "refloat-audit", "--json")) as readonly {
      readonly excludes: readonly string[];
    }[];
    expect(new Set(listed.map(({ excludes }) => excludes[0]))).toEqual(new Set(chain.map(({ text }) => text)));
    repository = await openRepository(vault, password, { clock: systemClock });
    expect(await proofOf(repository)).toMatchObject({ findings: [], chains: [{ entries: 5, head: { sequence: 5 } }] });
  });

  it("can be written by one who has just seen restic prune everything", async () => {
    const [first, second] = chainOf(2);
    if (first === undefined || second === undefined) throw new Error("two entries");
    const archive = archiveOf(repository);
    await archive.append(first.text);
    for (const { id } of await repository.snapshots()) await repository.removeSnapshots([id]);
    await repository.close();
    await restic(vault, "prune", "--max-unused", "0");
    repository = await openRepository(vault, password, { clock: systemClock });
    await archiveOf(repository).append(second.text);
    await repository.close();
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    repository = await openRepository(vault, password, { clock: systemClock });
    expect((await proofOf(repository)).findings.map(({ kind, sequence }) => [kind, sequence])).toEqual([
      ["missing", 1],
    ]);
  });
});

describe("many entries", () => {
  const count = 300;
  let folder: TestFolder;
  let vault: string;
  let repository: Repository;
  const chain = chainOf(count);

  beforeAll(async () => {
    folder = await createTestFolder("refloat-audit");
    vault = `${folder.path}/vault`;
    repository = await createRepository(vault, password, { clock: systemClock });
    const archive = archiveOf(repository);
    for (const { text } of chain) {
      await archive.append(text);
      await archive.compact();
    }
  });

  afterAll(async () => {
    await repository.close();
    await folder.remove();
  });

  it("lie in few snapshots, and are the same chain", async () => {
    expect((await repository.snapshots()).length).toBeLessThan(130);
    expect(await proofOf(repository)).toMatchObject({
      findings: [],
      chains: [{ entries: count, head: { sequence: count, hash: chain.at(-1)?.hash } }],
    });
    expect(await archiveOf(repository).heads()).toEqual({ [writer]: { sequence: count, hash: chain.at(-1)?.hash } });
    expect(await restic(vault, "--no-lock", "check", "--read-data")).toContain("no errors were found");
  });

  it("are read by restic as lines of a file", async () => {
    const joined = (await repository.snapshots()).find(({ paths }) => paths.includes("/refloat/audit.jsonl"));
    const lines = (await restic(vault, "dump", joined?.id ?? "", "/refloat/audit.jsonl")).split("\n");
    expect(chain.some(({ text }) => text === lines[0])).toBe(true);
    expect(lines).toHaveLength(128);
  });

  it("are missed when the snapshot that holds them is removed or rotten", async () => {
    const joined = (await repository.snapshots()).filter(({ paths }) => paths.includes("/refloat/audit.jsonl"));
    for (const { id } of joined.slice(0, 1)) await rm(`${vault}/snapshots/${id}`);
    const { findings } = await proofOf(repository);
    expect(findings.map(({ kind, message }) => [kind, message])).toEqual([
      ["missing", expect.stringMatching(/^entries \d+ to \d+ of 00000000 are missing$/)],
    ]);
  });
});
