/**
 * A service is held by freezing the file system that all of it lies on: ext4 and xfs in image files, under a writer. And every way in which a freeze may end:
 * as asked, by the deadline, by SIGKILL of the capture; and what is never frozen, or not ours to thaw.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { freezeObstacle } from "../../src/platform/quiesce/freezable.ts";
import { listProcesses, readEnvironment, signalProcess } from "../../src/platform/process-table.ts";
import { runProgram } from "../../src/platform/subprocess.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type LoopMount, canMountImages, mountImage } from "../../src/testing/loop-mount.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

const probe = await createTestFolder("refloat-loop");
const possible = await canMountImages(probe.path);
await probe.remove();

let folder: TestFolder;
let refloat: RefloatProgram;
const mounts: LoopMount[] = [];
/** Of this test alone, so that its keepers are found among all processes. */
const own = (type: string): string => `${type}-${process.pid}`;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  if (!possible) return;
  folder = await createTestFolder("refloat-frozen");
  for (const type of ["ext4", "xfs"] as const) {
    mounts.push(await mountImage(at(type), type));
    for (const name of ["rows", "files"]) await mkdir(at(`${type}/${name}`));
    for (let id = 0; id < 200; id += 1) await writeFile(at(`${type}/rows/${id}`), randomBytes(4096));
  }
  const service = (name: string, filesystem: string, atMost: string) => `
  ${name}:
    quiesce: { filesystem: ${filesystem}, atMost: ${atMost} }
    components:
      rows: { type: files, path: ${filesystem}/rows }
      files: { type: files, path: ${filesystem}/files }
`;
  const elsewhere = `
  elsewhere:
    quiesce: { filesystem: ${at("ext4")} }
    components:
      rows: { type: files, path: ${at("ext4")}/rows }
      notes: { type: files, path: ${at("notes")} }
  root:
    quiesce: { filesystem: ${folder.path} }
    components: { notes: { type: files, path: ${at("notes")} } }
`;
  await mkdir(at("notes"));
  await declareIn(
    folder.path,
    `services:${service(own("ext4"), at("ext4"), "60s")}${service(own("xfs"), at("xfs"), "60s")}${service("brief", at("ext4"), "1s")}${elsewhere}`,
  );
  refloat = refloatIn(folder.path);
  await refloat.succeed(["vault", "init"]);
}, 300_000);

afterAll(async () => {
  if (!possible) return;
  for (const mounted of mounts) await mounted.remove();
  await folder.remove();
});

const take = async (service: string, ...args: readonly string[]) => {
  const { lines } = await refloat.succeed(["capture", service, "--json", ...args]);
  return resultEnvelopeSchema("capture").parse(lines.at(-1)).data;
};

const names = async (point: string, component: string): Promise<readonly string[]> => {
  const out = at(`out-${point.slice(0, 8)}-${component}`);
  await refloat.succeed(["extract", `${point.slice(0, 8)}:${component}`, "--to", out]);
  const { stdout } = await runProgram("find", [out, "-name", "n*", "-printf", "%f\\n"], {
    signal: new AbortController().signal,
  });
  await rm(out, { recursive: true });
  return stdout
    .split("\n")
    .filter((name) => name !== "")
    .toSorted();
};

/** What takes longer to read than it may be frozen. */
const writeMuch = (): Promise<void> => writeFile(at("ext4/files/large"), randomBytes(100_000_000));

/** @returns when it is frozen */
const begin = async (service: string) => {
  const child = refloat.spawn(["capture", service, "--json"]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string | null> => {
    const { done, value } = await lines.next();
    return done === true ? null : value;
  };
  for (let line = await next(); line !== null; line = await next())
    if (line.includes('"frozen"')) return { child, next };
  throw new Error("it was never frozen");
};

/** How long it takes until something can be written there: by far not the minute for which it may be frozen, however slow the disk is. */
const writeMs = async (path: string): Promise<number> => {
  const began = performance.now();
  await writeFile(join(path, "rows/probe"), String(began));
  return performance.now() - began;
};

it.runIf(possible).each(["ext4", "xfs"])(
  "%s: all components are of the one instant, whatever is written meanwhile",
  { timeout: 300_000 },
  async (type) => {
    const stop = new AbortController();
    const writing = (async () => {
      for (let id = 1; !stop.signal.aborted; id += 1) {
        const name = `n${String(id).padStart(6, "0")}`;
        await writeFile(at(`${type}/rows/${name}`), name);
        await writeFile(at(`${type}/files/${name}`), name);
        await delay(1);
      }
    })();
    await delay(200);
    // A capture that fails must not leave the writer to the tests after it.
    const point = await take(own(type)).finally(() => stop.abort());
    await writing;
    expect(point.manifest.consistency).toMatchObject({ mode: "quiesced", frozen: { by: "filesystem" } });
    const [rows, files] = [await names(point.id, "rows"), await names(point.id, "files")];
    expect(files.length).toBeGreaterThan(5);
    expect(rows.slice(0, files.length)).toEqual(files);
    expect(rows.length - files.length).toBeLessThanOrEqual(1);
  },
);

it.runIf(possible)("goes on when the time is over, though not all was read", { timeout: 300_000 }, async () => {
  await writeMuch();
  const { child, next } = await begin("brief");
  expect(await writeMs(at("ext4"))).toBeLessThan(30_000);
  let last = "";
  for (let line = await next(); line !== null; line = await next()) last = line;
  await child;
  expect(resultEnvelopeSchema("capture").parse(JSON.parse(last)).data.manifest.consistency).toMatchObject({
    unquiesced: expect.stringContaining("the 1s of atMost were over") as string,
  });
});

it.runIf(possible)("goes on when the capture is killed", { timeout: 300_000 }, async () => {
  await writeMuch();
  const { child } = await begin(own("ext4"));
  child.kill("SIGKILL");
  expect(await writeMs(at("ext4"))).toBeLessThan(30_000);
  await child;
});

it.runIf(possible)("thaws though what froze was killed as soon as it had", { timeout: 300_000 }, async () => {
  const signal = new AbortController().signal;
  const real = (await runProgram("/bin/sh", ["-c", "command -v fsfreeze"], { signal })).stdout.trim();
  await mkdir(at("bin"));
  const script = `#!/bin/sh\n${real} "$@" || exit 1\ncase $1 in --freeze) kill -KILL $$ ;; esac\n`;
  await writeFile(at("bin/fsfreeze"), script, { mode: 0o755 });
  const path = `${at("bin")}:${process.env["PATH"] ?? ""}`;
  const { lines } = await refloat.succeed(["capture", own("ext4"), "--json"], { PATH: path });
  expect(await writeMs(at("ext4"))).toBeLessThan(30_000);
  expect(resultEnvelopeSchema("capture").parse(lines.at(-1)).data.manifest.consistency).toMatchObject({
    unquiesced: expect.stringContaining("ended by SIGKILL") as string,
  });
  expect((await refloat.run(["status"])).stdout).not.toContain("FROZEN");
});

it.runIf(possible)(
  "what was left frozen by two kills is told, and thawed by the next capture",
  { timeout: 300_000 },
  async () => {
    await writeMuch();
    const { child } = await begin(own("ext4"));
    // Stopped, the capture cannot take over from its keeper.
    child.kill("SIGSTOP");
    const marker = `freeze-keeper/${own("ext4")}`;
    const keeper = listProcesses().find(({ pid }) => readEnvironment(pid)?.get("REFLOAT_INSTANCE") === marker);
    if (keeper === undefined) throw new Error("nobody keeps it");
    signalProcess(keeper, "SIGKILL");
    child.kill("SIGKILL");
    await child;
    const writing = writeMs(at("ext4"));
    expect((await refloat.run(["status"])).stdout).toContain("MAY BE FROZEN");
    // However it is declared by then.
    const declared = await readFile(at("refloat.yaml"), "utf8");
    const way = `{ filesystem: ${at("ext4")}, atMost: 60s }`;
    await writeFile(at("refloat.yaml"), declared.replace(way, '{ freeze: "true", thaw: "true" }'));
    await take(own("ext4"));
    await writeFile(at("refloat.yaml"), declared);
    await writing;
    await rm(at("ext4/files/large"));
    expect((await refloat.run(["status"])).stdout).not.toContain("FROZEN");
  },
);

it.runIf(possible)("never freezes what has to be written to, nor takes for whole what lies elsewhere", async () => {
  for (const [service, reason] of [
    ["root", "is on the file system of the system"],
    ["elsewhere", "lies on another file system"],
  ] as const) {
    const point = await take(service);
    expect(point.manifest.consistency).toMatchObject({ unquiesced: expect.stringContaining(reason) as string });
    const { stdout } = await refloat.run(["validate", "--live", service]);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(reason);
  }
  const inner = await mountImage(at("ext4/inner"), "ext4");
  try {
    const vault = { what: "the vault", path: join(inner.path, "not/yet/there") };
    expect(await freezeObstacle(at("ext4"), {}, [vault])).toContain("is on the file system of the vault");
    expect(await freezeObstacle(at("ext4"), { all: at("ext4") }, [])).toContain("is a file system of its own");
    expect(await freezeObstacle(at("xfs"), { rows: at("xfs/rows") }, [vault])).toBeNull();
    expect(await freezeObstacle("/proc", {}, [])).toContain("on no ext4 or xfs");
  } finally {
    await inner.remove();
  }
});

it.runIf(possible)("leaves frozen what another has frozen", async () => {
  const act = (flag: string) => runProgram("fsfreeze", [flag, at("xfs")], { signal: new AbortController().signal });
  await act("--freeze");
  const point = await take(own("xfs"));
  await act("--unfreeze");
  expect(point.manifest.consistency).toMatchObject({
    unquiesced: expect.stringContaining("Device or resource busy") as string,
  });
});
