/**
 * Ctrl-C, kill -9 and a second window: a recovery is held in the middle by a check that waits, so that no timing decides what is
 * interrupted.
 */
import { access, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { eventEnvelopeSchema, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { listProcesses, readEnvironment } from "../../src/platform/process-table.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let refloat: RefloatProgram;

const at = (name: string): string => join(folder, name);
const exists = (name: string): Promise<boolean> =>
  access(at(name)).then(
    () => true,
    () => false,
  );

const patience = { timeout: 90_000, interval: 100 };

/** The check waits from now on, and says by a file that it does. */
const arm = async (): Promise<void> => {
  await rm(at("waits"), { force: true });
  await writeFile(at("armed"), "");
};
const disarm = (): Promise<void> => rm(at("armed"), { force: true });
const untilHeld = () => vi.waitFor(async () => expect(await exists("waits")).toBe(true), patience);

const runNumber = async (): Promise<string> => {
  const { lines } = await refloat.succeed(["runs", "--json"]);
  const [newest] = resultEnvelopeSchema("runs").parse(lines.at(-1)).data;
  return String(newest?.number);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-interrupted-"));
  await mkdir(at("docs"));
  await writeFile(at("docs/a.txt"), "first\n");
  await writeFile(at("password"), "correct horse\n", { mode: 0o600 });
  await writeFile(
    at("refloat.yaml"),
    `vault:
  url: ${at("vault")}
  password: \${file:${at("password")}}
services:
  notes:
    components:
      docs:
        type: files
        path: ${at("docs")}
        checks:
          # Its own child does not listen to SIGTERM and holds none of its pipes.
          - command: (trap '' TERM; while test -e ${at("armed")}; do sleep 0.2; done) > /dev/null 2>&1 & while test -e ${at("armed")}; do touch ${at("waits")}; sleep 0.2; done
            timeout: 10m
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "notes"]);
  await writeFile(at("docs/a.txt"), "damaged\n");
});
afterAll(async () => {
  await disarm();
  await rm(folder, { recursive: true, force: true });
});

/** Programs that carry the mark of the run's steps; one that has ended has no environment. */
const leftBy = (run: string): readonly number[] =>
  listProcesses().flatMap(({ pid }) =>
    readEnvironment(pid)?.get("REFLOAT_STEP")?.startsWith(`refloat/${run}.`) === true ? [pid] : [],
  );

describe("Ctrl-C", () => {
  it("leaves a run that every command tells of, and that resume finishes", async () => {
    await arm();
    const program = refloat.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    const inside = await runNumber();
    expect(leftBy(inside).length).toBeGreaterThanOrEqual(2);
    program.kill("SIGINT");
    const { exitCode, stderr, stdout } = await program;
    expect(exitCode).toBe(7);
    expect(stderr).toContain("stopping in order; again to kill");
    const run = await runNumber();
    expect(leftBy(run)).toEqual([]);
    expect(stderr).toContain(`error run.interrupted: run ${run} of notes was interrupted`);
    expect(stderr).toContain(`next: refloat resume ${run}`);
    expect(stdout).toContain(`next: refloat resume ${run}\n  or: refloat cancel ${run}`);
    expect(await readFile(at("docs/a.txt"), "utf8")).toBe("damaged\n");

    const told = await refloat.run(["validate"]);
    expect(told.stderr).toMatch(new RegExp(`^run ${run} of notes was interrupted after .*, live untouched\\n`));
    const another = await refloat.run(["recover", "notes", "--yes"]);
    expect(another.exit).toBe(3);
    expect(another.stderr).toContain("error run.in-progress: ");

    await disarm();
    const resumed = await refloat.succeed(["resume", run, "--json"]);
    expect(resultEnvelopeSchema("run").parse(resumed.lines.at(-1)).data.record.state).toBe("succeeded");
    expect(resumed.stderr).toBe("");
    expect(await readFile(at("docs/a.txt"), "utf8")).toBe("first\n");
    expect((await refloat.succeed(["validate"])).stderr).toBe("");
  });
});

describe("a signal that comes twice at once, as timeout sends it to the process and to its group", () => {
  it("stops in order, as one", async () => {
    await arm();
    const program = refloat.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    program.kill("SIGTERM");
    program.kill("SIGTERM");
    const { exitCode, stderr } = await program;
    await disarm();
    expect(exitCode).toBe(7);
    expect(stderr).toContain("stopping in order; again to kill");
    expect(stderr).not.toContain("killed by");
    const run = await runNumber();
    expect(stderr).toContain(`error run.interrupted: run ${run} of notes was interrupted`);
    await refloat.succeed(["cancel", run]);
  });
});

describe("kill -9", () => {
  it("leaves a run that is told as interrupted, and that cancel removes", async () => {
    await arm();
    const program = refloat.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    const { pid } = program;
    expect(pid).toBeGreaterThan(0);
    program.kill("SIGKILL");
    await program;
    await disarm();
    const run = await runNumber();
    const told = await refloat.succeed(["status"]);
    expect(told.stderr).toContain(`run ${run} of notes was interrupted`);
    expect(told.stdout).toContain(`next: refloat resume ${run}`);
    const beside = (await readdir(folder)).filter((name) => name.startsWith("docs."));
    await refloat.succeed(["cancel", run]);
    const left = (await readdir(folder)).filter((name) => name.startsWith("docs."));
    expect(left.length).toBe(beside.length - 1);
    expect((await refloat.succeed(["status"])).stderr).toBe("");
  });
});

describe("a second window", () => {
  it("follows the run to its end", async () => {
    await arm();
    const program = refloat.spawn(["recover", "notes", "--yes"]);
    await untilHeld();
    const follower = refloat.spawn(["runs", "--follow", "--json"]);
    let heard = "";
    follower.stdout?.on("data", (part: Buffer) => {
      heard += part.toString();
    });
    await vi.waitFor(() => expect(heard).toContain('"event":"plan"'), patience);
    const watcher = refloat.spawn(["runs", "--follow"]);
    let seen = "";
    watcher.stderr?.on("data", (part: Buffer) => {
      seen += part.toString();
    });
    await vi.waitFor(() => expect(seen).toContain("notes, to"), patience);
    watcher.kill("SIGINT");
    expect((await watcher).exitCode).toBe(7);
    expect(seen).toContain("only the watching has ended");
    // While somebody executes it, it is not told as interrupted.
    expect((await refloat.succeed(["validate"])).stderr).toBe("");
    await disarm();
    expect((await program).exitCode).toBe(0);
    expect((await follower).exitCode).toBe(0);
    const lines = heard
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(resultEnvelopeSchema("run").parse(lines.at(-1)).data.record.state).toBe("succeeded");
    const events = lines.slice(0, -1).map((line) => eventEnvelopeSchema.parse(line));
    expect(events.map(({ event }) => event)).toContain("run");
  });

  it("gets the report as a page that can be kept", async () => {
    const number = await runNumber();
    const path = at("run.html");
    const { stdout } = await refloat.succeed(["runs", number, "--html", path]);
    expect(stdout).toContain(`the report of run ${number} is in ${path}`);
    const page = await readFile(path, "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain("NOTES IS BACK");
    expect((await refloat.succeed(["runs", number, "--html", "-"])).stdout).toBe(page.trimEnd());
    const refused = await refloat.run(["runs", number, "--html", at("no/such/run.html")]);
    expect(refused.exit).toBe(4);
    expect(refused.stderr).toContain("output.failed");
    expect((await refloat.run(["runs", "--html", path])).exit).toBe(2);
  });
});
