/** What every driver that provisions must hold, shown on the real thing: one of it, whose it is, and what a kill at any effect leaves. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DriverContext } from "../core/ports/driver.ts";
import type { ProvisionDriver, ProvisionOwner, ProvisionSight } from "../core/ports/provision.ts";
import { driverRegistry } from "../driver-registry.ts";
import { endOrphans } from "../platform/orphans.ts";
import type { ProvisionAct } from "./provision-act-program.ts";
import { type TestContextOptions, type TestFolder, createTestContext, createTestFolder } from "./driver-context.ts";

export type ProvisionBench = {
  readonly type: string;
  /** Options of an entry of its own in a folder of its own; whatever it needs is there. */
  readonly declare: (folder: string) => Promise<unknown>;
  /** The point that it is made from, of what was put into the folder by `declare`. */
  readonly point?: (folder: string) => Promise<NonNullable<TestContextOptions<unknown>["point"]>>;
  /** How many of what it makes there are in the world, whoever is asked. */
  readonly count: (context: DriverContext) => Promise<number>;
  /** Whether it is killed at each effect; `remove`: of taking it away as well. */
  readonly killable?: { readonly leastPoints: number; readonly remove: boolean };
};

const program = fileURLToPath(new URL("provision-act-program.ts", import.meta.url));
const owner: ProvisionOwner = { run: 42, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0042" };
const other: ProvisionOwner = { run: 43, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0043" };
const mostPoints = 60;

export const describeProvisionContract = ({ type, declare, point, count, killable }: ProvisionBench): void => {
  describe(`provision by ${type}`, { timeout: 600_000 }, () => {
    const driver = driverRegistry.provisions.get(type) as ProvisionDriver;
    let folder: TestFolder;
    let contexts: DriverContext[];

    beforeEach(async () => {
      folder = await createTestFolder(`refloat-provision-${type}`);
      contexts = [];
    });
    afterEach(async () => {
      endOrphans([`${markerOf(folder)}/`]);
      for (const context of contexts)
        for (const who of [owner, other]) await driver.destroy(context, who).catch(() => undefined);
      await folder.remove();
    });

    const scene = async (name: string): Promise<TestContextOptions<unknown>> => {
      const path = join(folder.path, name);
      await mkdir(path);
      const given = {
        folder: path,
        component: "box",
        options: await declare(path),
        ...(point === undefined ? {} : { point: await point(path) }),
      };
      contexts.push(contextOf(given));
      return given;
    };

    /** Marked by the test's own folder: what another test has started is none of its orphans. */
    const contextOf = (given: TestContextOptions<unknown>): DriverContext => ({
      ...createTestContext(given),
      marker: `${markerOf(folder)}/1`,
    });
    const ownerIn = (sight: ProvisionSight) => (sight.presence === "absent" ? null : sight.owner);

    it("makes one, which is its owner's, and which only its owner tears down", async () => {
      const context = contextOf(await scene("one"));
      expect(await driver.inspect(context)).toEqual({ presence: "absent" });
      expect((await driver.preview(context)).what).not.toBe("");
      expect(await count(context)).toBe(0);
      await driver.apply(context, owner);
      expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
      expect(await count(context)).toBe(1);
      const outputs = await driver.read(context);
      const declared = Object.keys(driver.outputs(context.options) ?? {});
      expect(declared.filter((name) => (outputs[name]?.value ?? "") === "")).toEqual([]);
      await expect(driver.destroy(context, other)).rejects.toMatchObject({ code: "instance.exists" });
      expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
      await driver.destroy(context, owner);
      expect(await driver.inspect(context)).toEqual({ presence: "absent" });
      expect(await count(context)).toBe(0);
      // Asked again after a crash, there is nothing to do.
      await driver.destroy(context, owner);
    });

    it.runIf(killable !== undefined)(
      "is killed at any effect of making it: what is left is known, removed and made again, once",
      async () => {
        let points = 0;
        for (let point = 1, end = "killed"; end === "killed"; point++) {
          expect(point).toBeLessThan(mostPoints);
          const given = await scene(`apply-${point}`);
          const context = contextOf(given);
          end = await runKilled({ type, context: given, act: "apply", owner, marker: `${markerOf(folder)}/1` }, point);
          endOrphans([`${markerOf(folder)}/`]);
          const left = await driver.inspect(context);
          expect(await count(context)).toBeLessThanOrEqual(1);
          // What a killed attempt has made is never taken for somebody else's, and what is nobody's was not made.
          expect(left.presence === "absent" ? owner : ownerIn(left)).toEqual(owner);
          expect(end === "killed" || left.presence === "done").toBe(true);
          if (left.presence === "partial") await driver.destroy(context, owner);
          if (left.presence !== "done") await driver.apply(context, owner);
          expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
          expect(await count(context)).toBe(1);
          await driver.destroy(context, owner);
          expect(await count(context)).toBe(0);
          points = point - 1;
        }
        expect(points).toBeGreaterThanOrEqual(killable?.leastPoints ?? 0);
      },
    );

    it.runIf(killable?.remove === true)(
      "is killed at any effect of removing it: the next one removes the rest",
      async () => {
        for (let point = 1, end = "killed"; end === "killed"; point++) {
          expect(point).toBeLessThan(mostPoints);
          const given = await scene(`destroy-${point}`);
          const context = contextOf(given);
          await driver.apply(context, owner);
          end = await runKilled(
            { type, context: given, act: "destroy", owner, marker: `${markerOf(folder)}/1` },
            point,
          );
          endOrphans([`${markerOf(folder)}/`]);
          await driver.destroy(context, owner);
          expect(await driver.inspect(context)).toEqual({ presence: "absent" });
          expect(await count(context)).toBe(0);
        }
      },
    );
  });
};

const markerOf = ({ path }: TestFolder): string => `refloat/42/${basename(path)}`;

const runKilled = async (request: ProvisionAct, at: number): Promise<"killed" | "ended"> => {
  const file = join(request.context.folder, "request.json");
  await writeFile(file, JSON.stringify(request));
  const child = spawn(process.execPath, [program, file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, KILL_AT: String(at) },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (signal === "SIGKILL") return "killed";
  expect({ code, said }).toEqual({ code: 0, said: "" });
  return "ended";
};
