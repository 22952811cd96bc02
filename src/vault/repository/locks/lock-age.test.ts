import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { readMachineIdentity } from "../../../platform/machine-identity.ts";
import { readProcess } from "../../../platform/process-table.ts";
import { type LookedAt, deadAfterMs, isDead } from "./lock-age.ts";
import type { RepositoryLockFile } from "./lock-file.ts";
import { isSameProcessAlive } from "./process-alive.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;
const nowMs = Date.parse("2026-03-01T10:00:00Z");

const here: LookedAt = {
  nowMs,
  storeNowMs: nowMs,
  owner: { hostname: "db", username: "root", pid: 1, machine: "here", startTicks: 7 },
  isAlive: () => false,
};

const lockOf = (
  times: { readonly agoMs: number; readonly writtenAgoMs: number | undefined },
  refloat: Partial<RepositoryLockFile["refloat"]> | null,
): RepositoryLockFile => ({
  name: "0".repeat(64),
  timeMs: nowMs - times.agoMs,
  writtenMs: times.writtenAgoMs === undefined ? undefined : nowMs - times.writtenAgoMs,
  exclusive: false,
  hostname: "db",
  username: "root",
  pid: 4711,
  refloat: refloat === null ? undefined : { session: "s", role: "capture", machine: "there", ...refloat },
});

const dead = (lock: RepositoryLockFile, at: Partial<LookedAt> = {}): boolean =>
  isDead(lock, deadAfterMs, { ...here, ...at });

describe("a holder of a lock on another machine", () => {
  it.each([
    ["both clocks say that it was not refreshed", { agoMs: 3 * hourMs, writtenAgoMs: 3 * hourMs }, true],
    ["its own clock is a day behind, or ours a day ahead", { agoMs: dayMs, writtenAgoMs: 0 }, false],
    ["its own clock is a day ahead, or ours a day behind", { agoMs: -dayMs, writtenAgoMs: 3 * hourMs }, false],
    ["the store's clock has jumped ahead since it was written", { agoMs: 0, writtenAgoMs: dayMs }, false],
    ["the store does not tell when", { agoMs: dayMs, writtenAgoMs: undefined }, false],
  ])("when %s: dead %#", (_, times, expected) => {
    expect(dead(lockOf(times, {}))).toBe(expected);
    // A program that is not ours is judged the same, although it has our host's name, and its process is not found here.
    expect(dead(lockOf(times, null))).toBe(expected);
  });

  it("is not dead while the store's time is not known", () => {
    expect(dead(lockOf({ agoMs: dayMs, writtenAgoMs: dayMs }, {}), { storeNowMs: undefined })).toBe(false);
  });
});

describe("a holder of a lock on this machine", () => {
  const fresh = { agoMs: 0, writtenAgoMs: 0 };
  const old = { agoMs: dayMs, writtenAgoMs: dayMs };

  it("is dead as soon as its process is gone, and alive as long as it is there, whatever the clocks say", () => {
    expect(dead(lockOf(fresh, { machine: "here" }))).toBe(true);
    expect(dead(lockOf(old, { machine: "here" }), { isAlive: () => true })).toBe(false);
  });

  it("is found by its process and the time at which that began", () => {
    const startTicks = readProcess(process.pid)?.startTicks ?? 0;
    expect(isSameProcessAlive(process.pid, startTicks)).toBe(true);
    expect(isSameProcessAlive(process.pid, undefined)).toBe(true);
    expect(isSameProcessAlive(process.pid, startTicks - 1)).toBe(false);
    expect(isSameProcessAlive(spawnSync("true").pid, undefined)).toBe(false);
  });
});

it("a machine is the same for all its processes", () => {
  const module = new URL("../../../platform/machine-identity.ts", import.meta.url).href;
  const script = `console.log((await import(${JSON.stringify(module)})).readMachineIdentity())`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  expect(stdout.trim()).toMatch(/^[0-9a-f]{16}$/);
  expect(stdout.trim()).toBe(readMachineIdentity());
});
