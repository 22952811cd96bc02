/** A point as folders: what is seen there, and that nothing is left when it ends, however it ends. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listProcesses, readPlaces, signalProcess } from "../../src/platform/process-table.ts";
import { refloatIn, type RefloatProgram } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let refloat: RefloatProgram;
let point: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-mount-"));
  await mkdir(join(folder, "docs/sub"), { recursive: true });
  await writeFile(join(folder, "docs/sub/a.txt"), "as captured\n");
  await declareIn(
    folder,
    `services:
  notes:
    components:
      docs: { type: files, path: ${join(folder, "docs")} }
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  const { lines } = await refloat.succeed(["capture", "notes", "--json"]);
  point = (lines.at(-1) as { data: { id: string } }).data.id;
  await writeFile(join(folder, "docs/sub/a.txt"), "changed since\n");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const mounts = async (): Promise<readonly string[]> =>
  (await readFile("/proc/self/mountinfo", "utf8")).split("\n").filter((line) => line.includes(folder));

/** Starts a mount and waits until it says that it is there. */
const mounted = async (directory: string, ...args: string[]) => {
  const program = refloat.spawn(["mount", point, directory, "--json", ...args]);
  const ready = Promise.withResolvers<void>();
  program.stdout.on("data", (part: Buffer) => {
    if (part.toString().includes('"event":"mount"')) ready.resolve();
  });
  const ended = program.then((result) => {
    ready.reject(new Error(`it ended: ${result.stderr}`));
    return result;
  });
  await ready.promise;
  return { program, ended };
};

describe("mount", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "shows the files of a point until %s ends it, and leaves nothing",
    async (signal) => {
      const directory = join(folder, "shown here");
      const { program, ended } = await mounted(directory);
      expect(await readFile(join(directory, "docs/sub/a.txt"), "utf8")).toBe("as captured\n");
      expect(await readdir(directory)).toEqual([".snapshots", "docs"]);
      await expect(writeFile(join(directory, "docs/sub/new"), "x")).rejects.toMatchObject({ code: "EROFS" });
      const processes = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      expect(processes).toContain("mount --quiet");
      expect(processes).not.toContain("correct horse");
      program.kill(signal);
      const { exitCode } = await ended;
      expect(exitCode).toBe(0);
      expect(await mounts()).toEqual([]);
      expect(await readdir(folder)).not.toContain("shown here");
      expect(await readdir(join(folder, "state/work"))).toEqual([]);
      expect(await readdir(join(folder, "vault/locks"))).toEqual([]);
    },
  );

  it("keeps a folder that was there, and ends when somebody else unmounts it", async () => {
    const directory = join(folder, "there");
    await mkdir(directory);
    const { ended } = await mounted(directory);
    execFileSync("fusermount3", ["-u", join(directory, ".snapshots")]);
    expect((await ended).exitCode).toBe(0);
    expect(await readdir(directory)).toEqual([]);
    expect(await mounts()).toEqual([]);
  });

  it("takes the mount away when restic is killed, and says that it is gone", async () => {
    const directory = join(folder, "killed");
    const { program, ended } = await mounted(directory);
    const restic = listProcesses().filter(
      ({ pid, parent }) => parent === program.pid && readPlaces(pid).executable?.endsWith("/restic") === true,
    );
    expect(restic).toHaveLength(1);
    for (const one of restic) signalProcess(one, "SIGKILL");
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(4);
    expect(stderr).toContain("error program.failed: restic ended");
    expect(await mounts()).toEqual([]);
    expect(await readdir(folder)).not.toContain("killed");
  });

  it("shows a point of a second vault, whose snapshots restic lists by other names", async () => {
    const copy = join(folder, "copy");
    await refloat.succeed(["vault", "copy", "--to", copy, "--init"]);
    const directory = join(folder, "of the copy");
    const { program, ended } = await mounted(directory, "--vault", copy, "--password-file", join(folder, "password"));
    expect(await readFile(join(directory, "docs/sub/a.txt"), "utf8")).toBe("as captured\n");
    program.kill("SIGINT");
    await ended;
    expect(await mounts()).toEqual([]);
  });

  it("is refused where the folder holds something, or a program is not there", async () => {
    const filled = await refloat.run(["mount", point, join(folder, "docs")]);
    expect(filled).toMatchObject({ exit: 3, stderr: expect.stringContaining("error target.exists: ") });
    const bare = join(folder, "bin");
    await mkdir(bare);
    const none = await refloat.run(["mount", point, join(folder, "none")], { PATH: bare });
    expect(none).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining("error program.missing: the program fusermount3"),
    });
    expect(none.stderr).toContain("refloat extract");
    const placed = await refloat.run(["mount", `${point}:docs`, join(folder, "none")]);
    expect(placed.exit).toBe(2);
    expect(await readdir(folder)).not.toContain("none");
  });
});
