/**
 * SIGKILL of the programs that a recovery and a capture have started, each kind of them at each step, after journal transitions and at random moments,
 * on real servers: dumps and loads, clients, declared lines and their hooks, the fence, traffic, checks, the application itself. Whatever is hit, the
 * act ends by itself and names what to type; going by that it comes to its end, nothing is done twice, the names are switched once, nothing is left over,
 * and the journal alone tells it. REFLOAT_KILLS=all for several hundred kills; REFLOAT_FAULT_SEED for the same moments again.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Aim, nothing } from "./support/child-killer.ts";
import { isNightly, random, seed } from "./support/kill-count.ts";
import {
  type KillBed,
  expectWholeVault,
  killCapture,
  killRecovery,
  startKillBed,
  stopKillBed,
} from "./support/killed-recoveries.ts";
import type { Seen } from "./support/process-watch.ts";

const timeout = isNightly ? 5 * 3_600_000 : 900_000;
const killsNeeded = isNightly ? 300 : 20;
/** What must have been hit: else something was renamed, and nothing of its kind is killed any more. */
const programsNeeded = isNightly
  ? ["mariadb", "sh", "sleep", "pg_restore", "pg_dump", "mariadb-dump", "psql", "tar", "server.js", "freeze-keeper.js"]
  : ["mariadb", "sh", "sleep"];

let bed: KillBed;

beforeAll(async () => {
  bed = await startKillBed();
}, 300_000);

afterAll(async () => {
  await stopKillBed(bed);
});

/** The first of each kind of program at each step that is asked for, in each process as many as it goes on for, until all have had their turn. */
const eachKind = (steps: RegExp, most: number): { readonly aim: Aim; readonly hit: ReadonlySet<string> } => {
  const hit = new Set<string>();
  const atSight: Aim["atSight"] = ({ step, program }) => {
    const kind = `${step} ${program}`;
    if (hit.size >= most || !steps.test(step) || hit.has(kind)) return false;
    hit.add(kind);
    return true;
  };
  return { aim: { atSight }, hit };
};

/** The next one that is seen after so many transitions. */
const afterTransition = (sequence: number): Aim => ({
  atSight: (_, { kills, sequence: now }) => kills === 0 && now >= sequence,
});

const atRandom = (wholeMs: number, most: number): Aim => ({
  atMs: Array.from({ length: 1 + Math.floor(random() * most) }, () => random() * wholeMs),
  choose: (count) => Math.floor(random() * count),
});

/** For the process that takes a run up first; those after it are left alone. */
const once =
  (aim: Aim) =>
  (turn: number): Aim =>
    turn === 0 ? aim : nothing;

/**
 * Until there is nothing left to be hit.
 * @param isEnough where a program may be over before it is seen, as on a busy machine, some rounds more are made until it says so
 */
const again = async (
  act: () => Promise<readonly Seen[]>,
  most: number,
  isEnough: () => boolean = () => true,
): Promise<void> => {
  for (let round = 0; round < most || (round < most + 10 && !isEnough()); round += 1)
    if ((await act()).length === 0 && isEnough()) return;
};

const ofCutover = /^(isolate|hold|switch|reload|start|admit|save-lost:.*:final)/;
const beforeCutover = /^(restore|check|save-lost:[a-z]+$|migrate|try)/;
const ofNoRun = /^$/;

it("each kind of program is killed at each step before the cutover, one after the other", { timeout }, async () => {
  const { aim, hit } = eachKind(beforeCutover, isNightly ? Infinity : 16);
  const least = isNightly ? 25 : 12;
  // A kind that this recovery no longer had is left to the next one.
  await again(
    () => killRecovery(bed, { aim, later: () => aim, word: "resume" }),
    isNightly ? 100 : 2,
    () => hit.size >= least,
  );
  expect(hit.size).toBeGreaterThanOrEqual(least);
});

it(
  "each kind of program is killed at each step of the cutover, and while that is taken back",
  { timeout },
  async () => {
    const { aim, hit } = eachKind(ofCutover, isNightly ? Infinity : 3);
    const least = isNightly ? 12 : 3;
    await again(
      () => killRecovery(bed, { aim, later: once(afterTransition(0)), word: "cancel" }),
      isNightly ? 100 : 3,
      () => hit.size >= least,
    );
    expect(hit.size).toBeGreaterThanOrEqual(least);
  },
);

it("each kind of program of a capture is killed", { timeout }, async () => {
  const { aim, hit } = eachKind(ofNoRun, isNightly ? Infinity : 5);
  const least = isNightly ? 10 : 4;
  await again(
    () => killCapture(bed, aim),
    isNightly ? 100 : 5,
    () => hit.size >= least,
  );
  expect(hit.size).toBeGreaterThanOrEqual(least);
});

it.runIf(isNightly)("a program is killed after each journal transition of a recovery", { timeout }, async () => {
  let transitions = 0;
  await again(async () => {
    transitions += 1;
    const word = transitions % 4 === 0 ? "cancel" : "resume";
    return killRecovery(bed, { aim: afterTransition(transitions), later: () => nothing, word });
  }, 200);
  expect(transitions).toBeGreaterThan(60);
});

it(`programs are killed at random moments, seed ${seed}`, { timeout }, async () => {
  for (let round = 0; round < (isNightly ? 80 : 1); round += 1)
    await killRecovery(bed, {
      aim: atRandom(8_000, 3),
      later: once(atRandom(3_000, 2)),
      word: round % 4 === 1 ? "cancel" : "resume",
      close: round % 4 === 2 ? "undo" : "commit",
      closing: atRandom(3_000, 2),
    });
  for (let round = 0; round < (isNightly ? 40 : 1); round += 1) await killCapture(bed, atRandom(3_000, 3));
  expect(bed.kills.total).toBeGreaterThan(0);
});

it(`were at least ${killsNeeded} kills, and the vault is whole after them`, { timeout }, async () => {
  bed.kills.print("children");
  bed.ends.print("their acts ended");
  expect(bed.kills.total).toBeGreaterThanOrEqual(killsNeeded);
  expect(bed.kills.names).toEqual(expect.arrayContaining(programsNeeded));
  await expectWholeVault(bed);
});
