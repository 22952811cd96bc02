/** recover, resume, cancel, runs and the tale of unfinished runs, with an engine that plays run 42 of the shop. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  at,
  began,
  done,
  failed,
  moved,
  number42,
  shopPlan,
  shopRun,
  stoppedAt,
} from "../../test/fixtures/shop-run.ts";
import { z } from "zod";
import { eventEnvelopeSchema, resultEnvelopeSchema } from "../contract/envelope.ts";
import type { Engine, Journal, Leases, RunListener } from "../core/ports/engine.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { RunRecord, RunState } from "../model/run.ts";
import { runCommandLine } from "./run-command-line.ts";
import { type TestShell, type TestShellOptions, createTestShell } from "./test-shell.ts";

// Here the plan is played and the world does not exist; what no longer fits is refused in test/e2e/plan-diff.test.ts.
vi.mock("../operations/fit-plan.ts", () => ({ fitPlan: async () => undefined }));

type Play = (listener: RunListener, signal: AbortSignal) => Promise<RunRecord>;

type Scene = TestShellOptions & {
  readonly play?: Play;
  readonly journaled?: readonly RunRecord[];
  readonly holder?: string | null;
};

const short = shopPlan.digest.slice(0, 8);

const begin = (argv: readonly string[], { play, journaled = [], holder = null, ...options }: Scene = {}) => {
  let record: RunRecord | undefined = journaled[0];
  const asked: string[] = [];
  const playAs =
    (verb: string) =>
    async (
      _subject: unknown,
      { listener, signal }: { readonly listener: RunListener; readonly signal: AbortSignal },
    ) => {
      asked.push(verb);
      if (play === undefined) throw new Error("nothing was to be executed");
      record = await play(listener, signal);
      return record;
    };
  const journal = {
    readPlan: async () => shopPlan,
    listRuns: async () => (record === undefined ? [] : [record]),
    readRun: async () => ({ record, plan: shopPlan }),
    events: async () => [],
  } as unknown as Journal;
  const engine = {
    execute: playAs("execute"),
    resume: playAs("resume"),
    cancel: playAs("cancel"),
  } as unknown as Engine;
  const bench: Partial<Workbench> = {
    journal: async () => journal,
    leases: async () => ({ holder: async () => holder }) as unknown as Leases,
    engine: async () => engine,
    vault: async () => ({ runCopies: { of: async () => [] } }) as never,
    clock: { now: () => new Date(at(60)), monotonicMs: () => 0, sleep: async () => undefined },
  };
  const shell = createTestShell({ bench, ...options });
  return { shell, asked, exit: runCommandLine(argv, shell) };
};

const ended = async (argv: readonly string[], scene: Scene = {}) => {
  const { shell, asked, exit } = begin(argv, scene);
  return { exit: await exit, asked, shell, stdout: shell.written.stdout(), stderr: shell.written.stderr() };
};

const playing =
  (record: RunRecord, ...events: Parameters<RunListener>[0][]): Play =>
  async (listener) => {
    for (const event of events) listener(event);
    return record;
  };

describe("recover --plan", () => {
  it("shows the plan, does it without a question, and ends in the report", async () => {
    const play = playing(shopRun(), began(1, 0, "restore:db"), done(2, 29, "restore:db"));
    const { exit, stdout, stderr, asked } = await ended(["recover", "--plan", short], { play });
    expect(exit).toBe(0);
    expect(asked).toEqual(["execute"]);
    expect(stdout).toMatch(new RegExp(`^Plan ${short} {2}shop, only db\\.`));
    expect(stdout).toMatch(/^SHOP IS BACK {2}run 42/m);
    expect(stdout).toMatch(/next: refloat undo 42\n  or: refloat reconcile 42\n  or: refloat commit 42\n$/);
    expect(stderr).toMatch(/^ {2}now {3}restore db .*\n {2}done {2}restore db .*\n$/);
  });

  it("with --json streams the plan and the events, and ends in one envelope, all as the contract says", async () => {
    const play = playing(
      shopRun(),
      began(1, 0, "restore:db"),
      moved(3, "restore:db", 1e6, 2),
      done(2, 29, "restore:db"),
    );
    const { exit, stdout, stderr } = await ended(["recover", "--plan", short, "--json"], { play });
    expect(exit).toBe(0);
    expect(stderr).toBe("");
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines.slice(0, -1).map((line) => eventEnvelopeSchema.parse(line).event)).toEqual([
      "plan",
      "run",
      "run",
      "run",
    ]);
    expect(resultEnvelopeSchema("run").parse(lines.at(-1))).toMatchObject({ ok: true, exit: 0 });
  });

  it("is refused for another service than the plan's", async () => {
    const { exit, stderr } = await ended(["recover", "market", "--plan", short]);
    expect(exit).toBe(2);
    expect(stderr).toMatch(/^error usage: plan \w+ is one of shop, not of market\n/);
  });
});

describe("the end of a run", () => {
  it.each([
    ["succeeded", 0, null],
    ["failed", 4, "run.failed"],
    ["undone", 5, "run.undone"],
    ["needs-operator", 6, "run.needs-person"],
    ["waiting", 6, "run.needs-person"],
    ["interrupted", 7, "run.interrupted"],
    ["cancelled", 0, null],
  ] as const satisfies readonly (readonly [RunState, number, string | null])[])(
    "%s is exit code %d",
    async (state, exit, code) => {
      const record = shopRun({ state }, stoppedAt("check:db", { state: state === "succeeded" ? "done" : "failed" }));
      const scene = { play: playing(record) };
      const text = await ended(["recover", "--plan", short], scene);
      const json = await ended(["recover", "--plan", short, "--json"], scene);
      expect([text.exit, json.exit]).toEqual([exit, exit]);
      expect(json.shell.lastJson()).toMatchObject({ schema: "refloat/run/v1", ok: exit === 0, exit });
      const said = /^error (\S+): run 42 of shop /m.exec(text.stderr)?.[1] ?? null;
      const told = z.object({ error: z.object({ code: z.string() }).optional() }).parse(json.shell.lastJson());
      expect([said, told.error?.code ?? null]).toEqual([code, code]);
    },
  );

  it("in failure says why, what is live, and what to type", async () => {
    const record = shopRun(
      { state: "failed" },
      stoppedAt("check:db", {
        state: "failed",
        error: { code: "step.check-failed", message: "orders: 199,990 rows, captured 200,000" },
      }),
    );
    const { stderr } = await ended(["recover", "--plan", short], {
      play: playing(record, failed(1, 3, "check:db", "orders: 199,990 rows, captured 200,000")),
    });
    expect(stderr).toContain(
      [
        "error run.failed: run 42 of shop failed: check db: orders: 199,990 rows, captured 200,000",
        "state: live is untouched; what was restored stands beside it until the run is cancelled",
        "next: refloat runs 42",
        "",
      ].join("\n"),
    );
  });

  it("by Ctrl-C is an interrupted run, not an error of whatever fell over", async () => {
    const record = shopRun({ state: "interrupted" }, stoppedAt("restore:db", { state: "interrupted" }));
    const { shell, exit } = begin(["recover", "--plan", short], {
      play: (_listener, signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve(record));
        }),
    });
    await vi.waitFor(() => expect(shell.written.stdout()).toContain("Plan "), { timeout: 60_000 });
    shell.send("SIGINT");
    expect(await exit).toBe(7);
    expect(shell.written.stderr()).toMatch(
      /^stopping in order; .*\nerror run\.interrupted: run 42 of shop was interrupted\n/,
    );
    expect(shell.written.stderr()).toContain("next: refloat resume 42\n");
  });
});

describe("an approval gate", () => {
  const recordOf = (answer: { readonly approved: boolean; readonly by: string } | null): RunRecord =>
    shopRun({ state: answer === null ? "waiting" : answer.approved ? "succeeded" : "failed" });

  const asking = (options: { readonly terminal: boolean; readonly argv?: readonly string[] }) => {
    const begun: ReturnType<typeof begin> = begin(["recover", "--plan", short, ...(options.argv ?? [])], {
      terminal: options.terminal,
      play: async (_listener, signal) =>
        recordOf((await begun.shell.settings()?.approver("cut shop over to the restored side?", signal)) ?? null),
    });
    return begun;
  };

  it.each([
    ["y", 0],
    ["n", 4],
    ["\u0003", 6],
  ])("at a terminal is answered by %j: exit code %d", async (key, code) => {
    const { shell, exit } = asking({ terminal: true });
    await vi.waitFor(() => expect(shell.written.stderr()).toContain("cut shop over to the restored side?"), {
      timeout: 60_000,
    });
    shell.type(key);
    expect(await exit).toBe(code);
  });

  it("where nobody can be asked leaves the run waiting, unless --yes was given", async () => {
    expect(await asking({ terminal: false }).exit).toBe(6);
    expect(await asking({ terminal: false, argv: ["--yes"] }).exit).toBe(0);
  });
});

describe("undoing what is live needs a yes", () => {
  const run42 = { journaled: [shopRun()] };

  it("where nobody can be asked the exact command is given, and nothing is done", async () => {
    const { exit, stderr, stdout } = await ended(["commit", "42"], run42);
    expect(exit).toBe(3);
    expect(stdout).toBe(
      [
        "Commit run 42 of shop drops for good:",
        "  db: shop_old42",
        "Came after the point, and is then gone unless refloat reconcile 42 has put it back or a file has it:",
        "  db: 312 orders, exported to runs/42/lost/orders.csv",
        "",
      ].join("\n"),
    );
    expect(stderr).toBe(
      [
        "error confirm.needed: what is dropped cannot be brought back, and nobody can be asked here",
        "state: nothing was changed",
        "hint: --yes answers every question; or type what is below",
        "next: refloat commit 42 --yes",
        "",
      ].join("\n"),
    );
  });

  it.each([
    ["n", "confirm.declined"],
    ["\r", "confirm.declined"],
    ["\u0003", "confirm.declined"],
  ])("at a terminal %j is a no, and so is a tired Enter", async (keys, code) => {
    const { shell, exit } = begin(["commit", "42"], { ...run42, terminal: true });
    await vi.waitFor(() => expect(shell.written.stderr()).toContain("Drop it now?"), { timeout: 60_000 });
    shell.type(keys);
    expect(await exit).toBe(3);
    expect(shell.written.stderr()).toContain(code);
  });

  it("with --json nobody is asked, even at a terminal", async () => {
    const { exit, shell } = await ended(["commit", "42", "--json"], { ...run42, terminal: true });
    expect(exit).toBe(3);
    expect(shell.lastJson()).toMatchObject({ schema: "refloat/error/v1", error: { code: "confirm.needed" } });
  });
});

describe("unfinished runs", () => {
  const interrupted = shopRun({ state: "running", endedAt: null }, stoppedAt("check:db", { state: "running" }));

  it("whose process died are told before anything else, with what to type", async () => {
    const { stderr, exit } = await ended(["runs"], { journaled: [interrupted] });
    expect(exit).toBe(0);
    expect(stderr).toBe(
      [
        "run 42 of shop was interrupted after 15:13:03: 2 of 13 steps done, live untouched",
        '  "check db" was running, safe to repeat',
        "next: refloat resume 42\n  or: refloat cancel 42",
        "",
        "",
      ].join("\n"),
    );
  });

  it("that somebody executes are not", async () => {
    expect((await ended(["runs"], { journaled: [interrupted], holder: "run 42, process 7" })).stderr).toBe("");
  });

  it("in the cutover are said to be seen by users, and can be cancelled until somebody is let in", async () => {
    const inCutover = shopRun({ state: "running", endedAt: null }, stoppedAt("switch:db", { state: "running" }));
    const { stderr } = await ended(["runs"], { journaled: [inCutover] });
    expect(stderr).toContain("in the middle of the cutover: users may notice");
    expect(stderr).toContain("next: refloat resume 42\n  or: refloat cancel 42\n");
  });

  it("are not told to who takes the run up", async () => {
    const { stderr, asked } = await ended(["resume", "42"], { journaled: [interrupted], play: playing(shopRun()) });
    expect(asked).toEqual(["resume"]);
    expect(stderr).toBe("");
  });
});

describe("while a run goes on", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Waits until the listener is there, and lets the test speak for the engine. */
  const open = (argv: readonly string[], scene: Scene = {}) => {
    let heard: (tell: RunListener) => void = () => undefined;
    const listening = new Promise<RunListener>((resolve) => {
      heard = resolve;
    });
    let finish: (record: RunRecord) => void = () => undefined;
    const begun = begin(argv, {
      ...scene,
      play: (listener) => {
        heard(listener);
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    return { ...begun, listening, finish: (record: RunRecord) => finish(record) };
  };

  const linesOf = ({ written }: TestShell): readonly string[] => written.stderr().trimEnd().split("\n");

  it("a line is written at least every ten seconds where there is no terminal", async () => {
    const { shell, exit, listening, finish } = open(["recover", "--plan", short]);
    const tell = await listening;
    tell(began(1, 0, "restore:db"));
    tell(moved(10, "restore:db", 500_000_000, 11));
    tell(moved(12, "restore:db", 576_000_000, 12));
    vi.advanceTimersByTime(30_000);
    finish(shopRun());
    expect(await exit).toBe(0);
    const words = linesOf(shell);
    expect(words).toHaveLength(4);
    for (const word of words.slice(1))
      expect(word).toMatch(/^run 42 {2}shop, only db.* restore db 576 MB of 1.1 GB 38 MB\/s 12\/23 tables$/);
  });

  it("a line is written with --json too, beside the events", async () => {
    const { shell, exit, listening, finish } = open(["recover", "--plan", short, "--json"]);
    (await listening)(began(1, 0, "restore:db"));
    vi.advanceTimersByTime(10_000);
    finish(shopRun());
    await exit;
    expect(linesOf(shell)).toHaveLength(1);
  });

  it("a frame is drawn at most ten times a second at a terminal, and what each step came to stays", async () => {
    const { shell, exit, listening, finish } = open(["recover", "--plan", short], { terminal: true });
    const tell = await listening;
    tell(began(1, 0, "restore:db"));
    const before = shell.written.stderr().length;
    for (let step = 0; step < 1000; step += 1) tell(moved(1 + step / 1000, "restore:db", step * 1_000_000, 1));
    expect(shell.written.stderr()).toHaveLength(before);
    vi.advanceTimersByTime(100);
    expect(shell.written.stderr().slice(before)).toContain("999 MB of 1.1 GB");
    tell(done(2, 29, "restore:db"));
    finish(shopRun());
    await exit;
    const drawn = shell.written.stderr();
    expect(drawn.slice(drawn.lastIndexOf("done"))).toContain("restore db");
  });

  it("stops drawing when it has ended", async () => {
    const { shell, exit, listening, finish } = open(["recover", "--plan", short], { terminal: true });
    await listening;
    finish(shopRun());
    await exit;
    const after = shell.written.stderr();
    vi.advanceTimersByTime(60_000);
    expect(shell.written.stderr()).toBe(after);
  });
});

it("runs NUMBER prints the report, whatever became of the run", async () => {
  const record = shopRun({ state: "failed" }, stoppedAt("check:db", { state: "failed" }));
  const { exit, stdout } = await ended(["runs", String(number42)], { journaled: [record] });
  expect(exit).toBe(0);
  expect(stdout).toMatch(/^SHOP WAS NOT RECOVERED {2}run 42/);
});
