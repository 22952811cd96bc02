/**
 * Captures, prunes and restores at once, in processes that are killed at any moment, round after round: every snapshot that was committed and
 * not removed reads byte for byte, at any time and in the end, and stock restic finds nothing wrong. `PRUNE_ROUNDS=120` for a longer run.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { SnapshotInfo } from "../../src/core/ports/vault-snapshots.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { password, requireRestic, restic } from "../interop/support/restic.ts";
import { contentOf, contentsOfTags } from "./support/recurring-contents.ts";

const rounds = Number(process.env["PRUNE_ROUNDS"] ?? 8);
const script = new URL("support/vault-user.ts", import.meta.url).pathname;
const roles = ["capture", "prune", "capture"] as const;

requireRestic();

type User = { readonly child: ChildProcess; readonly output: { text: string }; readonly exited: Promise<unknown> };

const isStarting = (user: User | undefined): boolean => user?.output.text === "" && user.child.exitCode === null;

describe(`captures and prunes that are killed, ${rounds} rounds`, () => {
  let folder: TestFolder;
  let vault: string;
  let started = 0;
  let done = 0;
  let removedPacks = 0;
  let restored = 0;
  const users = new Map<number, User>();

  beforeAll(async () => {
    folder = await createTestFolder("refloat-prune-chaos");
    vault = `${folder.path}/vault`;
    await (await createRepository(vault, password, { clock: systemClock })).close();
  });

  afterAll(async () => {
    for (const place of users.keys()) await kill(place);
    await folder.remove();
  });

  const start = (place: number): void => {
    started += 1;
    const child = spawn(process.execPath, [script, roles[place] ?? "", vault, password, `${place} ${started}`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { text: "" };
    child.stdout.on("data", (part: Buffer) => (output.text += part.toString()));
    child.stderr.on("data", (part: Buffer) => (output.text += part.toString()));
    users.set(place, { child, output, exited: once(child, "exit") });
  };

  /** Until it has done something, however slow the machine is. */
  const untilStarted = async (place: number): Promise<void> => {
    while (isStarting(users.get(place))) await setTimeout(20);
  };

  const kill = async (place: number): Promise<void> => {
    const user = users.get(place);
    if (user === undefined) return;
    users.delete(place);
    const died = user.child.exitCode !== null;
    user.child.kill("SIGKILL");
    await user.exited;
    expect(died ? user.output.text : "").toBe("");
    done += user.output.text.split("done").length - 1;
    for (const [, count] of user.output.text.matchAll(/removed (\d+)/g)) removedPacks += Number(count);
  };

  const read = async (repository: Repository, { id, tags }: SnapshotInfo): Promise<void> => {
    const reader = await repository.openSnapshot(id);
    for (const content of contentsOfTags(tags)) {
      const found = Buffer.from(await reader.read(`/c/${content}`));
      expect(found.equals(contentOf(content))).toBe(true);
    }
  };

  const restore = async (repository: Repository, { id, tags }: SnapshotInfo): Promise<void> => {
    restored += 1;
    const target = `${folder.path}/restored-${restored}`;
    await (await repository.openSnapshot(id)).extract("/c", target, new AbortController().signal);
    for (const content of contentsOfTags(tags))
      expect((await readFile(`${target}/${content}`)).equals(contentOf(content))).toBe(true);
    await rm(target, { recursive: true });
  };

  /** Whatever goes on: a snapshot that is there can be read and restored. */
  const readOne = async (round: number): Promise<void> => {
    const repository = await openRepository(vault, password, { clock: systemClock });
    try {
      const snapshots = await repository.snapshots();
      const info = snapshots[round % Math.max(1, snapshots.length)];
      if (info === undefined) return;
      await (round % 4 === 0 ? read : restore)(repository, info).catch(async (error: unknown) => {
        if ((await repository.snapshots()).some(({ id }) => id === info.id)) throw error;
      });
    } finally {
      await repository.close();
    }
  };

  it("lose nothing that was committed", { timeout: 600_000 + rounds * 20_000 }, async () => {
    for (const place of roles.keys()) start(place);
    for (let round = 0; round < rounds; round += 1) {
      const victim = (round * 7 + (round >> 2)) % roles.length;
      // The first output, then a moment that differs from round to round.
      await untilStarted(victim);
      await setTimeout((round * 137) % 900);
      await kill(victim);
      if (round % 2 === 0) await readOne(round);
      start(victim);
    }
    for (const place of roles.keys()) {
      await untilStarted(place);
      await kill(place);
    }
    expect(done).toBeGreaterThan(rounds);

    const never = new AbortController().signal;
    const repository = await openRepository(vault, password, { clock: systemClock });
    for (let last = 0; last < 2; last += 1) {
      const pruning = await repository.beginPrune({ without: [], graceMs: 0 }, never);
      const report = await pruning.run(never);
      removedPacks += report.removedPacks;
      await pruning.close();
      expect(report.refused).toEqual([]);
      expect(report.waitingBytes).toBe(0);
    }
    expect(removedPacks).toBeGreaterThan(0);
    const snapshots = await repository.snapshots();
    for (const info of snapshots) await read(repository, info);
    expect((await repository.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    await repository.close();
    await restic(vault, "unlock");
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    process.stderr.write(
      `${started} processes, ${done} acts done, ${removedPacks} packs removed, ${snapshots.length} snapshots read\n`,
    );
  });
});
