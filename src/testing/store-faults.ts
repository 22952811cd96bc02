/**
 * Works on a vault whose store fails at random: captures, reads, verifies, under a clock that jumps. What has to hold whatever happens: no wrong
 * byte is ever handed out, what was committed can be read once the store is well again, and is locked if it was to be, and whatever fails says
 * so as a RefloatError.
 */
import { hash } from "node:crypto";
import { expect } from "vitest";
import type { Clock } from "../core/ports/environment.ts";
import type { Repository } from "../core/ports/vault.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { systemClock } from "../platform/system-clock.ts";
import { type RepositoryEnvironment, assembleRepository } from "../vault/repository/assemble-repository.ts";
import type { Store } from "../vault/repository/stores/store.ts";
import type { StartFaults } from "./fault-sources.ts";
import { seededRandom } from "./faulty-store.ts";

export type StoreFaultsOptions = {
  /** A handle on the vault, which is there and well. */
  readonly open: () => Store;
  readonly masterKey: Buffer;
  readonly settings?: RepositoryEnvironment["settings"];
  readonly seed: number;
  /** Ends with the first round after so many faults. */
  readonly atLeast: number;
  readonly faults: StartFaults;
  /** Every other snapshot is to be locked: only where the store keeps locks. */
  readonly locks: boolean;
};

export type StoreFaultsReport = {
  readonly faults: number;
  readonly kinds: readonly string[];
  /** Snapshots that were committed although faults struck. */
  readonly committed: number;
  readonly locked: number;
  /** Acts that failed, by code. */
  readonly refused: Readonly<Record<string, number>>;
};

const never = new AbortController().signal;
const lockMs = 3_600_000;

/** Bytes that a seed says, of which some stand in other contents as well, so that there is something to deduplicate. */
const contentOf = (seed: number): Buffer => {
  const part = (label: string, blocks: number): Buffer[] =>
    Array.from({ length: blocks }, (_, at) => hash("sha512", `${label} ${at}`, "buffer"));
  return Buffer.concat([...part("all", 2000), ...part(`${seed % 5}`, 1500), ...part(`own ${seed}`, 500)]);
};

const jumpingClock = (random: () => number): Clock => ({
  ...systemClock,
  now: () => new Date(Date.now() + (random() < 0.1 ? (random() - 0.5) * 7_200_000 : 0)),
});

export const workUnderFaults = async (options: StoreFaultsOptions): Promise<StoreFaultsReport> => {
  const random = seededRandom(options.seed);
  const kinds = new Set<string>();
  const refused: Record<string, number> = {};
  const committed = new Map<SnapshotId, number>();
  const lockedUntil = new Map<SnapshotId, Date>();
  let faults = 0;
  let acts = 0;

  const source = options.faults({
    random,
    happened: (fault) => {
      faults += 1;
      kinds.add(fault);
    },
  });
  /** What fails must say so in our words, and never as a mistake of ours. */
  const attempt = async <Result>(act: () => Promise<Result>): Promise<Result | undefined> => {
    acts += 1;
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof RefloatError)) throw error;
      if (error.code === "bug") throw error;
      refused[error.code] = (refused[error.code] ?? 0) + 1;
      return undefined;
    }
  };
  const capture = async (repository: Repository, content: number): Promise<void> => {
    const until = options.locks && content % 2 === 0 ? new Date(Date.now() + lockMs) : undefined;
    const lock = until === undefined ? {} : { lock: { until, mode: "governance" as const, members: [] } };
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/"], ...lock });
    try {
      const bytes = contentOf(content);
      const parts = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += 40_000) yield bytes.subarray(at, at + 40_000);
      };
      await writer.stream("/content", { bytes: parts(), seal: async () => ({}) }, never);
      await writer.bytes("/number", Buffer.from(String(content)));
      const { id } = await writer.commit();
      committed.set(id, content);
      if (until !== undefined) lockedUntil.set(id, until);
    } finally {
      await writer.abort();
    }
  };
  const read = async (repository: Repository, id: SnapshotId, content: number): Promise<void> => {
    const reader = await repository.openSnapshot(id);
    const wanted = contentOf(content);
    let at = 0;
    for await (const part of reader.stream("/content")) {
      expect(wanted.subarray(at, at + part.length).equals(part), "a wrong byte was handed out").toBe(true);
      at += part.length;
    }
    expect(at).toBe(wanted.length);
  };
  const readNumber = async (repository: Repository, id: SnapshotId, content: number): Promise<void> => {
    const bytes = await (await repository.openSnapshot(id)).read("/number");
    expect(Buffer.from(bytes).toString(), "a wrong byte was handed out").toBe(String(content));
  };
  const oneRound = async (repository: Repository, round: number): Promise<void> => {
    await attempt(async () => capture(repository, options.seed * 1000 + round));
    const all = [...committed];
    for (let turn = 0; turn < 25; turn += 1) {
      const [id, content] = all[Math.floor(random() * all.length)] ?? [];
      if (id === undefined || content === undefined) break;
      // Large contents are read by the threads, small ones here, where faults are counted.
      await attempt(async () => (turn < 2 ? read(repository, id, content) : readNumber(repository, id, content)));
    }
    await attempt(async () => repository.snapshots());
    await attempt(async () => repository.verify({ depth: "structure" }, never));
  };
  const onWell = async (act: (repository: Repository) => Promise<void>): Promise<void> => {
    const repository = await assembleRepository(options.open(), options.masterKey, {
      clock: systemClock,
      ...(options.settings === undefined ? {} : { settings: options.settings }),
    });
    try {
      await act(repository);
    } finally {
      await repository.close();
    }
  };

  await onWell(async (repository) => capture(repository, options.seed * 1000 + 999));
  const first = committed.size;
  for (let round = 0; faults < options.atLeast; round += 1) {
    const threadEntry = source.threadEntry?.(round);
    const repository = await attempt(async () =>
      assembleRepository(source.open(), options.masterKey, {
        clock: jumpingClock(random),
        ...(threadEntry === undefined ? {} : { threadEntry }),
        ...(options.settings === undefined ? {} : { settings: options.settings }),
      }),
    );
    if (repository === undefined) continue;
    try {
      await oneRound(repository, round);
    } finally {
      await attempt(async () => repository.close());
    }
  }
  await onWell(async (repository) => {
    for (const [id, content] of committed) await read(repository, id, content);
    const { findings } = await repository.verify({ depth: "read-data" }, never);
    expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
    const questions = [...lockedUntil.keys()].map((id) => ({ id, snapshots: [id] }));
    for (const { id, unlocked, missing, until } of await repository.locksOf(questions, never)) {
      expect({ id, unlocked, missing }).toEqual({ id, unlocked: 0, missing: 0 });
      expect(new Date(until ?? 0).getTime()).toBeGreaterThanOrEqual(lockedUntil.get(id as SnapshotId)?.getTime() ?? 0);
    }
  });
  expect(acts).toBeGreaterThan(0);
  return { faults, kinds: [...kinds], committed: committed.size - first, locked: lockedUntil.size, refused };
};
