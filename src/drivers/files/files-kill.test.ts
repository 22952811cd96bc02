/** SIGKILL at every change of the file system that an act makes: what is seen afterwards is true, and a repeat finishes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ComponentDriver, DriverContext, Exchange, InstanceTarget } from "../../core/ports/driver.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { createDirectoryReader, createDirectorySink } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import type { PathAct } from "../../testing/path-act-program.ts";
import { filesBundle } from "./files-bundle.ts";

const [driver] = filesBundle.components as [ComponentDriver];
const program = fileURLToPath(new URL("../../testing/path-act-program.ts", import.meta.url));
const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const mostPoints = 60;

/** Each point starts a program of its own, on a machine that may be busy. */
vi.setConfig({ testTimeout: 600_000 });

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-kill");
});
afterEach(() => folder.remove());

type Scene = {
  readonly place: string;
  readonly path: string;
  readonly vault: string;
  readonly context: DriverContext;
  readonly target: InstanceTarget;
  readonly captured: CapturedComponent;
  readonly exchange: Exchange;
};

/** A live tree that says `new`, and a point of it that says `old`. */
const createScene = async (name: string, kind: "folder" | "link"): Promise<Scene> => {
  const place = join(folder.path, name);
  const vault = join(place, "vault");
  const path = join(place, "srv", "data");
  const tree = kind === "folder" ? path : join(place, "srv", "releases", "2.5.0");
  await mkdir(vault, { recursive: true });
  await mkdir(join(tree, "deep"), { recursive: true });
  if (kind === "link") await symlink("releases/2.5.0", path);
  await writeFile(join(tree, "state"), "old");
  await writeFile(join(tree, "deep", "file"), "x");
  const context = createTestContext<unknown>({ options: { path }, folder: place });
  const report = await driver.capture(context, createDirectorySink(vault), null);
  const captured: CapturedComponent = {
    name: "data",
    driver: "files",
    snapshot: "0".repeat(64) as SnapshotId,
    newBytes: 0,
    sizeBytes: 1,
    finishedAt: report.window.endAt,
    ...report,
  };
  await writeFile(join(tree, "state"), "new");
  const target = { name: await driver.instances.name(context, 42), run: 42, runUid };
  const exchange = { incoming: target.name, outgoing: await driver.instances.retiredName(context, 42) };
  return { place, path, vault, context, target, captured, exchange };
};

const restore = ({ context, target, vault, captured }: Scene) =>
  driver.instances.restore(context, target, createDirectoryReader(vault), captured);

const runKilled = async (scene: Scene, act: PathAct["act"], at: number): Promise<"killed" | "ended"> => {
  const { place, path, vault, target } = scene;
  const request = join(place, "request.json");
  await writeFile(request, JSON.stringify({ path, folder: place, vault, target, act } satisfies PathAct));
  const child = spawn(process.execPath, [program, request], {
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

/** Meets every point at which the act can be killed, each in a scene of its own. @returns how many there were */
const atEveryPoint = async (
  kind: "folder" | "link",
  prepare: (scene: Scene) => Promise<PathAct["act"]>,
  after: (scene: Scene, act: PathAct["act"], at: number) => Promise<void>,
): Promise<number> => {
  for (let point = 1; point <= mostPoints; point++) {
    const scene = await createScene(`${kind}-${point}`, kind);
    const act = await prepare(scene);
    const end = await runKilled(scene, act, point);
    await after(scene, act, point);
    if (end === "ended") return point - 1;
  }
  throw new Error(`the act has more than ${mostPoints} points`);
};

const stateOf = (scene: Scene): Promise<string> => readFile(join(scene.path, "state"), "utf8");

const visible = async (scene: Scene): Promise<string[]> => {
  const names = await readdir(join(scene.place, "srv"));
  const releases = await readdir(join(scene.place, "srv", "releases")).catch(() => []);
  return [...names, ...releases.map((name) => `releases/${name}`)].toSorted();
};

describe.each(["folder", "link"] as const)("killed at every change: a %s", (kind) => {
  test("is always whole behind its name while it is switched, and the repeat ends the switch", async () => {
    const points = await atEveryPoint(
      kind,
      async (scene) => {
        await restore(scene);
        const expected = await driver.switching.observe(scene.context, scene.exchange);
        return { kind: "exchange", exchange: scene.exchange, expected };
      },
      async (scene, act, at) => {
        if (act.kind !== "exchange") throw new Error("not an exchange");
        const { context, exchange } = scene;
        const { expected } = act;
        const state = await stateOf(scene);
        const seen = await driver.switching.observe(context, exchange);
        // Either side, never neither; and what is observed is what is served.
        expect({ at, state, stable: seen.stable }).toEqual(
          seen.stable === expected.stable
            ? { at, state: "new", stable: expected.stable }
            : { at, state: "old", stable: expected.incoming },
        );
        const isSwitched = seen.stable === expected.incoming;
        expect({ at, ...seen }).toEqual(
          isSwitched
            ? { at, stable: expected.incoming, incoming: null, outgoing: expected.stable }
            : { at, ...expected },
        );
        expect(await driver.instances.inspect(context, scene.target)).toBe("done");

        await driver.switching.exchange(context, exchange, expected);
        expect(await stateOf(scene)).toBe("old");
        expect(await driver.switching.observe(context, exchange)).toEqual({
          stable: expected.incoming,
          incoming: null,
          outgoing: expected.stable,
        });
        const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
        await driver.switching.exchange(context, back, await driver.switching.observe(context, back));
        expect(await stateOf(scene)).toBe("new");
        await driver.instances.drop(context, scene.target);
        expect(await visible(scene)).toEqual(kind === "folder" ? ["data"] : ["data", "releases", "releases/2.5.0"]);
      },
    );
    expect(points).toBeGreaterThanOrEqual(4);
  });

  test("that is dropped after a killed switch leaves the live side alone", async () => {
    await atEveryPoint(
      kind,
      async (scene) => {
        await restore(scene);
        const expected = await driver.switching.observe(scene.context, scene.exchange);
        return { kind: "exchange", exchange: scene.exchange, expected };
      },
      async (scene) => {
        const state = await stateOf(scene);
        const dropped = await driver.instances.drop(scene.context, scene.target).then(
          () => "dropped",
          (error: unknown) => (error instanceof RefloatError ? error.code : "unknown"),
        );
        expect(dropped).toBe(state === "old" ? "run.wrong-state" : "dropped");
        expect(await stateOf(scene)).toBe(state);
        expect(await driver.instances.inspect(scene.context, scene.target)).toBe(state === "old" ? "done" : "absent");
      },
    );
  });

  test("that is restored is partial or done, and a repeat ends the restore", async () => {
    const points = await atEveryPoint(
      kind,
      async (scene) => ({ kind: "restore", captured: scene.captured }),
      async (scene, _act, at) => {
        const { context, target, captured } = scene;
        const presence = await driver.instances.inspect(context, target);
        if (presence === "partial") await driver.instances.drop(context, target);
        if (presence !== "done") await restore(scene);
        expect({ at, presence: await driver.instances.inspect(context, target) }).toEqual({ at, presence: "done" });
        expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
        expect(await stateOf(scene)).toBe("new");
        await driver.instances.drop(context, target);
        expect(await visible(scene)).toEqual(kind === "folder" ? ["data"] : ["data", "releases", "releases/2.5.0"]);
      },
    );
    expect(points).toBeGreaterThanOrEqual(5);
  });

  test("that is dropped is never told as done again, and a repeat ends the drop", async () => {
    await atEveryPoint(
      kind,
      async (scene) => {
        await restore(scene);
        return { kind: "drop" };
      },
      async (scene) => {
        const presence = await driver.instances.inspect(scene.context, scene.target);
        const outcomes =
          presence === "done" ? await driver.instances.validate(scene.context, scene.target, scene.captured.facts) : [];
        expect(outcomes.every(({ status }) => status === "passed")).toBe(true);
        await driver.instances.drop(scene.context, scene.target);
        expect(await driver.instances.inspect(scene.context, scene.target)).toBe("absent");
        expect(await visible(scene)).toEqual(kind === "folder" ? ["data"] : ["data", "releases", "releases/2.5.0"]);
      },
    );
  });

  test("whose old side is discarded keeps serving, and a repeat ends it", async () => {
    await atEveryPoint(
      kind,
      async (scene) => {
        await restore(scene);
        const { context, exchange } = scene;
        await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
        return { kind: "discard", outgoing: exchange.outgoing };
      },
      async (scene) => {
        await driver.switching.discard(scene.context, scene.exchange.outgoing);
        expect(await stateOf(scene)).toBe("old");
        expect(await visible(scene)).toEqual(kind === "folder" ? ["data"] : ["data", "releases", "releases/data_r42"]);
      },
    );
  });
});
