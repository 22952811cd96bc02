/**
 * Recoveries and captures of the service of many programs, whose programs are killed: each is brought to its end by nothing but the words that it offers
 * itself, and is then held against what the journal tells, what users meet and what is left on the machine.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { errorEnvelopeSchema, resultEnvelopeSchema } from "../../../src/contract/envelope.ts";
import type { RunRecord } from "../../../src/model/run.ts";
import { type RefloatInside, refloatInside } from "../../e2e/support/refloat-inside.ts";
import { type Aim, type KilledAct, actAndKill, nothing } from "./child-killer.ts";
import { type Account, accountOf } from "./journal-account.ts";
import { KillCount } from "./kill-count.ts";
import type { Seen } from "./process-watch.ts";
import { type Digests, type Places, TiersService } from "./tiers-service.ts";

export type KilledRecovery = {
  readonly aim: Aim;
  /** For the process that takes it up for the n-th time, from 0. */
  readonly later: (turn: number) => Aim;
  /** What is typed where both are offered. */
  readonly word: "resume" | "cancel";
  readonly close?: "commit" | "undo";
  /** For the processes that close it. */
  readonly closing?: Aim;
};

/** A service with what it was before anything was killed, and the tally. */
export type KillBed = {
  readonly service: TiersService;
  /** For what is not killed. */
  readonly inside: RefloatInside;
  readonly kills: KillCount;
  /** How the acts ended whose programs were hit, and which states their runs were in then. */
  readonly ends: KillCount;
  /** The point that was taken of the undamaged service. */
  readonly point: string;
  readonly captured: Digests;
  readonly pristine: Places;
  /** How many there are. */
  readonly made: { damages: number; runs: number; points: number };
};

const mostTurns = 60;
/** Those in the service's folder: others come and go beside us. */
const mountsIn = async (folder: string): Promise<readonly string[]> =>
  (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(folder));
const describeHits = (hits: readonly Seen[]): string =>
  `after the kill of ${hits.map(({ step, program }) => `${step} ${program}`).join(", ") || "nothing"}`;

export const startKillBed = async (): Promise<KillBed> => {
  const service = await TiersService.start();
  const inside = refloatInside(service.folder);
  return {
    service,
    inside,
    kills: new KillCount(),
    ends: new KillCount(),
    point: (await pointsOf(inside))[0]?.id ?? "",
    captured: await service.digests(),
    pristine: await service.places(),
    made: { damages: 0, runs: 0, points: 1 },
  };
};

export const stopKillBed = async ({ service, inside }: KillBed): Promise<void> => {
  await inside.close();
  await service.stop();
};

const pointsOf = async (inside: RefloatInside) => {
  const { lines } = await inside.succeed(["points", "shop", "--json"]);
  return resultEnvelopeSchema("points").parse(lines.at(-1)).data.points;
};

/** One recovery with its kills, brought to its end; then all is as before it. @returns what was hit before it was closed */
export const killRecovery = async (
  bed: KillBed,
  { aim, later, word, close = "commit", closing = nothing }: KilledRecovery,
): Promise<readonly Seen[]> => {
  const { service, made } = bed;
  const damaged = await damage(bed);
  const first = await act(bed, ["recover", "shop", "--at", bed.point, "--yes", "--json"], aim);
  if ((await accountIn(bed, made.runs + 1)) === null) {
    // It was looking and planning.
    expectRefusal(first);
    await expectAsItWas(bed, damaged, describeHits(first.hits));
    return first.hits;
  }
  const run = (made.runs += 1);
  const { hits, record } = await goByItsWords(bed, first, { run, later, word });
  const isBack = record.state === "succeeded";
  const context = `run ${run} ${record.state} ${describeHits(hits)}`;
  expect(await service.digests(), `of ${context}`).toEqual(isBack ? bed.captured : damaged);
  // Of more than one switch there would be more than one.
  const oldSides = (await service.places()).postgres.filter((name) => name.includes("_old"));
  expect(oldSides, `of ${context}`).toHaveLength(isBack ? 1 : 0);
  // The application itself may have been hit: then nobody is there to answer.
  const isHit = hits.some(({ program }) => program === "server.js");
  expect(isHit || (await service.answers()), `of ${context}`).toBe(true);
  if (isBack && close === "undo") await undo(bed, run, damaged, closing);
  else if (isBack) await closeBy(bed, ["commit", String(run)], closing);
  await expectAsItWas(bed, isBack && close === "commit" ? bed.captured : damaged, context);
  return hits;
};

/** One capture with its kills: a whole point or none, and the service goes on. @returns what was hit */
export const killCapture = async (bed: KillBed, aim: Aim): Promise<readonly Seen[]> => {
  const { service, inside, made } = bed;
  const damaged = await damage(bed);
  const ended = await act(bed, ["capture", "shop", "--json"], aim);
  const context = `a capture that exits ${ended.exit} ${describeHits(ended.hits)}\n${ended.stdout.slice(-2000)}\n${ended.stderr}`;
  if (ended.exit === 0) made.points += 1;
  else expectRefusal(ended);
  await expectAsItWas(bed, damaged, context);
  expect(await pointsOf(inside), `of ${context}`).toHaveLength(made.points);
  // What holds it still may have been killed: then it is told, and the next capture lets it go on.
  if (service.isFrozen()) {
    expect(ended.stdout + ended.stderr, `of ${context}`).toMatch(/frozen|thaw/);
    await inside.succeed(["capture", "shop"]);
    made.points += 1;
  }
  expect(service.isFrozen(), `of ${context}`).toBe(false);
  return ended.hits;
};

export const expectWholeVault = async ({ inside }: KillBed): Promise<void> => {
  expect((await inside.run(["verify", "--read-data"])).exit).toBe(0);
};

const damage = async ({ service, made }: KillBed): Promise<Digests> => {
  made.damages += 1;
  await service.damage(made.damages);
  return service.digests();
};

const act = async (bed: KillBed, args: readonly string[], aim: Aim): Promise<KilledAct> => {
  const ended = await actAndKill(bed.service.refloat, args, aim);
  for (const { program } of ended.hits) bed.kills.add(program);
  if (ended.hits.length > 0) bed.ends.add(`${args[0]} exited ${ended.exit}`);
  // The application is meant to live on; nothing else is.
  const orphans = () => ended.left().filter(({ program }) => program !== "server.js");
  for (let waits = 0; waits < 1500 && orphans().length > 0; waits += 1) await delay(20);
  expect(orphans(), `left behind by ${args.join(" ")} ${describeHits(ended.hits)}`).toEqual([]);
  return ended;
};

const accountIn = ({ service }: KillBed, run: number): Promise<Account | null> =>
  accountOf(service.at("state/journal.db"), run);

/** An error that is no bug, with what to do next, by one of the usual exits. */
const expectRefusal = ({ exit, hits, stdout, stderr }: KilledAct): void => {
  const context = `exit ${exit} ${describeHits(hits)}\n${stdout.slice(-2000)}\n${stderr}`;
  const said: unknown = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  const { error } = errorEnvelopeSchema.pick({ error: true }).parse(said);
  expect([3, 4, 5, 6, 7], `of ${context}`).toContain(exit);
  expect(error.code, `of ${context}`).not.toBe("bug");
  expect(error.next ?? error.hint, `of ${context}`).toBeDefined();
};

/** Goes by the words that the program offers until the run is over. @returns all that was hit on the way, and what the journal tells of it */
const goByItsWords = async (
  bed: KillBed,
  first: KilledAct,
  { run, later, word }: Pick<KilledRecovery, "later" | "word"> & { readonly run: number },
): Promise<{ readonly hits: readonly Seen[]; readonly record: RunRecord }> => {
  const hits = [...first.hits];
  let last = first;
  for (let turn = 0; turn < mostTurns; turn += 1) {
    const account = await accountIn(bed, run);
    if (account === null) throw new Error(`the journal has lost run ${run}`);
    const { record } = account;
    const context = `run ${run} is ${record.state}: ${record.message}\n${describeHits(hits)}\n${last.stderr.slice(-2000)}`;
    bed.ends.add(record.state);
    // No process holds it any more, so it is in a state that says so.
    expect(record.state, `of ${context}`).not.toBe("running");
    expectOnce(account, context);
    if (record.state === "succeeded" || record.state === "cancelled") {
      expect(last.exit, `of ${context}`).toBe(0);
      return { hits, record };
    }
    expectRefusal(last);
    last = await act(bed, await nextWords(bed, record, word, context), later(turn));
    hits.push(...last.hits);
  }
  throw new Error(`run ${run} comes to no end ${describeHits(hits)}\n${last.stderr}`);
};

/** What a person types who reads what the program says of the run. */
const nextWords = async (
  { inside }: KillBed,
  { number, message }: RunRecord,
  word: "resume" | "cancel",
  context: string,
): Promise<readonly string[]> => {
  const { stdout } = await inside.run(["runs", String(number)]);
  // Each command has a line of its own.
  const offered = /^ *next: [^]*/m.exec(stdout.slice(-600))?.[0] ?? "";
  const asked = new RegExp(`refloat done ${number} ([a-z-]+(?::[a-z-]+)?)`).exec(message ?? "")?.[1];
  if (asked !== undefined) await inside.succeed(["done", String(number), asked, "--evidence", "it is off"]);
  const named = (["resume", "cancel"] as const).filter((one) => offered.includes(`refloat ${one} ${number}`));
  const chosen = named.includes(word) ? word : named[0];
  if (chosen === undefined) throw new Error(`${context}\nno next step is named:\n${stdout}`);
  return [chosen, String(number), ...(chosen === "cancel" ? ["--yes"] : []), "--json"];
};

/** No step was finished twice, but one of which the journal says that its effect was gone, or that of one that it stands on. */
const expectOnce = ({ finished, gone }: Account, context: string): void => {
  expect(
    [...finished].filter(([step, count]) => count > 1 + (gone.get(step) ?? 0)),
    `of ${context}`,
  ).toEqual([]);
};

/** Puts the old side back, as a run of its own. */
const undo = async (bed: KillBed, run: number, damaged: Digests, aim: Aim): Promise<void> => {
  const first = await act(bed, ["undo", String(run), "--accept-loss", "--yes", "--json"], aim);
  if ((await accountIn(bed, bed.made.runs + 1)) === null) {
    expectRefusal(first);
    return undo(bed, run, damaged, nothing);
  }
  const own = (bed.made.runs += 1);
  // It takes a point of the side that is left.
  const { hits, record } = await goByItsWords(bed, first, { run: own, later: () => nothing, word: "resume" });
  bed.made.points = (await pointsOf(bed.inside)).length;
  if (record.state !== "succeeded") return undo(bed, run, damaged, nothing);
  expect(await bed.service.digests(), `undone ${describeHits(hits)}`).toEqual(damaged);
  return closeBy(bed, ["commit", String(own)], aim);
};

/** Hit or not, the same words again end it. */
const closeBy = async (bed: KillBed, words: readonly string[], aim: Aim): Promise<void> => {
  const first = await act(bed, [...words, "--yes", "--json"], aim);
  if (first.exit === 0) return;
  expectRefusal(first);
  const again = await bed.inside.run([...words, "--yes"]);
  expect(again.exit, `${words.join(" ")} again ${describeHits(first.hits)}\n${again.stdout}\n${again.stderr}`).toBe(0);
};

/** Behind the names, beside them, and on the machine. */
const expectAsItWas = async ({ service, pristine }: KillBed, digests: Digests, context: string): Promise<void> => {
  expect(await service.digests(), `of ${context}`).toEqual(digests);
  expect(await service.places(), `of ${context}`).toEqual(pristine);
  expect(await mountsIn(service.folder), `of ${context}`).toEqual([]);
};
