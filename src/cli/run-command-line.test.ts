import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../model/error-catalogue.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type Command, type CommandContext, type CommandResult, answer, defineCommand } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { planning } from "./live-progress.ts";
import { runCommandLine } from "./run-command-line.ts";
import { type TestShellOptions, createTestShell, emptyJournal } from "./test-shell.ts";
import { serviceArgument } from "./words.ts";
import { z } from "zod";

const commandThat = (act: (context: CommandContext) => Promise<CommandResult>): readonly Command[] => [
  defineCommand({
    name: "act",
    group: "Every day",
    summary: "a command of the test",
    about: ["Acts."],
    arguments: [],
    options: [],
    examples: [],
    exits: [],
    input: z.object({}),
    act: (_input, context) => act(context),
  }),
];

const fine = { location: "/vault", id: "ab12" };

const answered: CommandResult = answer("vault-init", fine, "all fine");

const run = async (argv: readonly string[], commands: readonly Command[], options: TestShellOptions = {}) => {
  const shell = createTestShell({ bench: emptyJournal, ...options });
  const exit = await runCommandLine(argv, shell, commands);
  return { shell, exit, stdout: shell.written.stdout(), stderr: shell.written.stderr() };
};

describe("the answer", () => {
  it("goes to standard output as text", async () => {
    const { exit, stdout, stderr } = await run(
      ["act"],
      commandThat(async () => answered),
    );
    expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: "all fine\n", stderr: "" });
  });

  it("to a mistake of usage names the next command as it is typed here", async () => {
    const shell = { ...createTestShell({ bench: emptyJournal }), program: "npx refloat" };
    expect(await runCommandLine(["plan", "shop", "--onyl", "db"], shell)).toBe(2);
    expect(shell.written.stderr()).toContain("next: npx refloat plan --help");
  });

  it("is one JSON object on the last line with --json, and nothing else is said", async () => {
    const { exit, stdout, shell } = await run(
      ["--json", "act"],
      commandThat(async ({ output }) => {
        output.say("not in JSON");
        output.event({ event: "halfway" });
        return answered;
      }),
    );
    expect(exit).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(shell.lastJson()).toMatchObject({ schema: "refloat/vault-init/v1", ok: true, exit: 0, data: fine });
  });

  it("may be a failure with a report: the report is printed, the error told, the exit code the error's", async () => {
    const error = new RefloatError("run.failed", "restore db failed", { state: "live untouched" });
    const { exit, stdout, stderr } = await run(
      ["act"],
      commandThat(async () => answer("vault-init", fine, "all fine", error)),
    );
    expect({ exit, stdout, stderr }).toEqual({
      exit: 4,
      stdout: "all fine\n",
      stderr: "error run.failed: restore db failed\nstate: live untouched\n",
    });
  });

  it("that cannot be written ends in an error, since a script would take the lack of it for an answer", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    const { exit, stderr } = await run(
      ["act"],
      commandThat(async () => answered),
      { stdoutError: full },
    );
    expect(exit).toBe(4);
    expect(stderr).toBe(
      "error output.failed: the answer could not be written: ENOSPC: no space left on device, write\n" +
        "state: refloat act itself has ended with 0\n",
    );
  });

  it("that nobody reads any more (| head) is no error", async () => {
    const gone = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
    const { exit, stderr } = await run(
      ["act"],
      commandThat(async () => answered),
      { stdoutError: gone },
    );
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  });
});

describe("what to type after an error that does not say it itself", () => {
  const next = async (code: ErrorCode, service: string | null): Promise<string> => {
    const commands = [
      defineCommand({
        name: "act",
        group: "Every day",
        summary: "a command of the test",
        about: ["Acts."],
        arguments: [{ ...serviceArgument, required: false }],
        options: [],
        examples: [],
        exits: [],
        input: z.object({ service: z.string().optional() }),
        act: () => Promise.reject(new RefloatError(code, "it is so")),
      }),
    ];
    const { stderr } = await run(service === null ? ["act"] : ["act", service], commands);
    return stderr.split("\n").at(-2) ?? "";
  };

  it.each([
    ["time.unclear", "shop", "next: refloat points shop"],
    ["time.unclear", null, "next: refloat points"],
    ["secret.unavailable", "shop", "next: refloat validate --live shop"],
    ["source.denied", "my shop", "next: refloat validate --live 'my shop'"],
    ["source.denied", "42", "next: refloat validate --live"],
    ["plan.no-space", "shop", "next: refloat runs"],
    ["run.failed", "shop", "error run.failed: it is so"],
  ] as const)("%s of %s: %s", async (code, service, told) => {
    expect(await next(code, service)).toBe(told);
  });
});

describe("an error", () => {
  const failing = commandThat(async () => {
    throw new RefloatError("source.unreachable", "db does not answer at 127.0.0.1:5432 (refused, 3 tries in 6s)", {
      state: "no point was made; the last is 3c71e0aa, 16:00:03",
      hint: "is it running?",
      nextCommand: "refloat validate --live shop",
    });
  });

  it("is told in the grammar of all errors, and ends with its code's number", async () => {
    const { exit, stdout, stderr } = await run(["act"], failing);
    expect(exit).toBe(4);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      [
        "error source.unreachable: db does not answer at 127.0.0.1:5432 (refused, 3 tries in 6s)",
        "state: no point was made; the last is 3c71e0aa, 16:00:03",
        "hint: is it running?",
        "next: refloat validate --live shop",
        "",
      ].join("\n"),
    );
  });

  it("is told to a script as well as to a person", async () => {
    const { exit, shell, stderr } = await run(["act", "--json"], failing);
    expect(exit).toBe(4);
    expect(stderr).toContain("error source.unreachable: ");
    expect(shell.lastJson()).toMatchObject({ ok: false, error: { code: "source.unreachable" } });
  });

  it("names the places in the file", async () => {
    const place = {
      file: "/nowhere/refloat.yaml",
      line: 33,
      column: 9,
      length: 10,
      path: "services.shop",
      severity: "error",
    };
    const { exit, stderr } = await run(
      ["act"],
      commandThat(async () => {
        throw new RefloatError("config.invalid", "2 mistakes", {
          nextCommand: "refloat validate",
          diagnostics: [
            {
              ...place,
              severity: "error",
              code: "config.unknown-key",
              message: 'services.shop.components.app has no "enviroment"',
              excerpt: "        enviroment:",
              hint: 'did you mean "environment"?',
            },
          ],
        });
      }),
    );
    expect(exit).toBe(2);
    expect(stderr).toBe(
      [
        'error config.unknown-key: services.shop.components.app has no "enviroment"',
        "  refloat.yaml:33:9 |         enviroment:",
        '                    |         ^^^^^^^^^^ did you mean "environment"?',
        "1 error; next: refloat validate",
        "",
      ].join("\n"),
    );
  });

  it("that is nobody's is a bug, with where it came from", async () => {
    const { exit, stderr } = await run(
      ["act"],
      commandThat(async () => {
        throw new TypeError("undefined is not a function");
      }),
    );
    expect(exit).toBe(70);
    expect(stderr).toMatch(/^error bug: undefined is not a function\n {4}at .*run-command-line\.test\.ts/);
  });
});

describe("Ctrl-C", () => {
  const untilAborted = commandThat(
    ({ signal }) =>
      new Promise((_resolve, reject) => {
        // What a client library throws when its connection is cut, not the signal's reason.
        signal.addEventListener("abort", () => reject(new Error("connection terminated")));
      }),
  );

  const started = (options: TestShellOptions = {}) => {
    const shell = createTestShell({ bench: emptyJournal, ...options });
    return { shell, exit: runCommandLine(["act"], shell, untilAborted) };
  };

  it("once stops in order: exit 7, whatever fell over on the way", async () => {
    const { shell, exit } = started();
    shell.send("SIGINT");
    expect(await exit).toBe(7);
    expect(shell.written.stderr()).toMatch(
      /^stopping in order; again to kill .*\nerror interrupted: told to stop by SIGINT\n$/,
    );
    expect(shell.exits).toEqual([]);
  });

  it("while something is planned says that nothing was changed, not what fell over by it", async () => {
    const shell = createTestShell({ bench: emptyJournal });
    const begun = Promise.withResolvers<void>();
    const exit = runCommandLine(
      ["act"],
      shell,
      commandThat((context) =>
        planning(context, { monotonicMs: () => 0 }, "planning", async () => {
          begun.resolve();
          await new Promise((_resolve, reject) => {
            context.signal.addEventListener("abort", () =>
              reject(new RefloatError("source.unreachable", "db does not answer", { nextCommand: "refloat status" })),
            );
          });
          return answered;
        }),
      ),
    );
    await begun.promise;
    shell.send("SIGINT");
    expect(await exit).toBe(7);
    expect(shell.written.stderr()).toMatch(
      /\nerror interrupted: cancelled while planning\nstate: nothing was changed\n$/,
    );
  });

  it("twice ends the process at once", async () => {
    const ended = Promise.withResolvers<void>();
    const stubborn = commandThat(async () => {
      await ended.promise;
      throw new Error("connection terminated");
    });
    const shell = createTestShell({ bench: emptyJournal });
    const exit = runCommandLine(["act"], shell, stubborn);
    shell.send("SIGINT");
    // What comes together counts as one.
    await setTimeout(600);
    shell.send("SIGINT");
    expect(shell.exits).toEqual([7]);
    ended.resolve();
    await exit;
  });

  it("is no longer listened to when the command has ended", async () => {
    const { shell } = await run(
      ["act"],
      commandThat(async () => answered),
    );
    shell.send("SIGINT");
    shell.send("SIGINT");
    expect(shell.exits).toEqual([]);
  });

  it("a hang-up counts at a terminal; without one it is left to whoever started us, as nohup asks", async () => {
    const away = started();
    away.shell.send("SIGHUP");
    expect(away.shell.written.stderr()).toBe("");
    away.shell.send("SIGTERM");
    expect(await away.exit).toBe(7);
    const { shell, exit } = started({ terminal: true });
    shell.send("SIGHUP");
    expect(await exit).toBe(7);
  });
});

describe("the workbench", () => {
  const opening = commandThat(async ({ bench }) => {
    await bench();
    await bench();
    return answered;
  });

  it("is opened once, with what flags and environment say, and closed", async () => {
    const { shell } = await run(["act", "--config", "a/b.yaml", "--verbose"], opening, {
      currentDirectory: "/home/ada",
      environment: { REFLOAT_CONFIG: "/other.yaml", REFLOAT_STATE: "state" },
    });
    expect(shell.settings()).toMatchObject({
      configFile: "/home/ada/a/b.yaml",
      stateDirectory: "/home/ada/state",
      log: "-",
      verbose: true,
    });
    expect(shell.closed()).toBe(1);
  });

  it("is closed after a failure too, and not opened by what does not need it", async () => {
    const failing = commandThat(async ({ bench }) => {
      await bench();
      throw new RefloatError("vault.locked", "in use");
    });
    expect((await run(["act"], failing)).shell.closed()).toBe(1);
    expect(
      (
        await run(
          ["act"],
          commandThat(async () => answered),
        )
      ).shell.settings(),
    ).toBeNull();
  });

  it("that cannot be opened is told", async () => {
    const shell = createTestShell();
    const broken = {
      ...shell,
      createWorkbench: async () => {
        throw new RefloatError("journal.failed", "the state folder cannot be made");
      },
    };
    expect(await runCommandLine(["act"], broken, opening)).toBe(4);
    expect(shell.written.stderr()).toBe("error journal.failed: the state folder cannot be made\n");
  });

  it("whose journal cannot be read is still good for a command that needs none", async () => {
    const journal = async () => {
      throw new RefloatError("journal.failed", "the journal cannot be read");
    };
    const { exit, stdout, stderr } = await run(["act"], opening, { bench: { ...emptyJournal, journal } });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: "all fine\n" });
    expect(stderr).toBe(
      "warning journal.failed: whether a run waits to be resumed cannot be said: the journal cannot be read\n\n",
    );
  });
});

describe("words", () => {
  const said = async (...argv: string[]): Promise<string> => {
    const { exit, stderr } = await run(argv, commandTable);
    expect(exit).toBe(2);
    return stderr.split("\n")[0] ?? "";
  };

  it.each([
    [
      ["restore", "shop"],
      'no command "restore"; a service: refloat recover shop; a file or table: refloat extract POINT:component:path --to PLACE',
    ],
    [["snapshots", "shop"], 'no command "snapshots"; refloat points shop'],
    [["backup"], 'no command "backup"; refloat capture SERVICE'],
    [
      ["rollback", "3"],
      'no command "rollback"; to put the old side back after a recovery: refloat undo 3; to go back in time: refloat recover 3 --at TIME',
    ],
    [["pionts"], 'no command "pionts"; did you mean "points"?'],
    [["xyzzy"], 'no command "xyzzy"'],
    [
      ["help", "restore"],
      'no command "restore"; a service: refloat recover SERVICE; a file or table: refloat extract POINT:component:path --to PLACE',
    ],
    [
      ["restore", "--help"],
      'no command "restore"; a service: refloat recover SERVICE; a file or table: refloat extract POINT:component:path --to PLACE',
    ],
    [["status", "shop"], "status takes no argument"],
    [
      ["vault", "create"],
      'no command "vault create"; there is: refloat vault init, refloat vault copy, refloat vault prune, refloat vault keys, refloat vault escrow, refloat vault locks',
    ],
    [["plan"], "plan needs SERVICE: a service of refloat.yaml"],
    [["plan", "a", "b"], "plan takes only SERVICE"],
    [["plan", "shop", "--at"], "--at needs a value: --at TIME"],
    [["plan", "shop", "--at", " "], '--at needs a time: --at "2 hours ago"'],
    [["plan", "shop", "--only", "db,,app"], "--only names components: --only db,uploads"],
    [["resume", "abc"], '"abc" is neither the number of a run nor the uid of one in the vault'],
    [["undo", "0"], '"0" is no number of a run; refloat runs lists them'],
    [["recover"], "recover needs a service, or the digest of a plan"],
    [
      ["recover", "--plan", "4c1e90ab", "--only", "db"],
      "--plan does what was shown: --at, --only, --no-cutover, --accept-loss, --failback and --approve were decided with it",
    ],
  ])("%j is answered", async (argv, message) => {
    expect(await said(...argv)).toBe(`error usage: ${message}`);
  });

  it("a wrong option is answered with the right one", async () => {
    const { stderr } = await run(["plan", "shop", "--dry-run"], commandTable);
    expect(stderr).toBe(
      "error usage: plan has no option --dry-run\n" +
        "hint: refloat plan shows what would be done and changes nothing\n" +
        "next: refloat plan --help\n",
    );
    expect((await run(["plan", "shop", "--onyl=db"], commandTable)).stderr).toContain('hint: did you mean "--only"?');
  });

  it("are answered to a script too", async () => {
    const { shell, exit } = await run(["restore", "--json"], commandTable);
    expect(exit).toBe(2);
    expect(shell.lastJson()).toMatchObject({ ok: false, error: { code: "usage" } });
  });
});

describe("help", () => {
  it("is an answer when it is asked for, and a hint when no command is named", async () => {
    const asked = await run(["--help"], commandTable);
    const hinted = await run([], commandTable);
    expect(asked).toMatchObject({ exit: 0, stderr: "" });
    expect(hinted).toMatchObject({ exit: 2, stdout: "", stderr: asked.stdout });
    for (const { name, summary } of commandTable)
      expect(asked.stdout).toMatch(new RegExp(`^  ${name} +${summary.replaceAll(/[.*+?()]/g, "\\$&")}$`, "m"));
  });

  it.each(commandTable.map(({ name }) => name))("of %s has usage, an example and exit codes", async (name) => {
    const { exit, stdout } = await run([...name.split(" "), "--help"], commandTable);
    expect(exit).toBe(0);
    expect(stdout).toMatch(new RegExp(`^usage: refloat ${name}\\b`));
    expect(stdout).toMatch(/^Examples:\n {2}\S/m);
    expect(stdout).toMatch(/^ {3}2 {2}the input is wrong/m);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
    expect((await run(["help", ...name.split(" ")], commandTable)).exit).toBe(0);
  });

  it("examples are lines that the command itself can read", async () => {
    const strange = commandTable.filter(
      ({ name, examples }) => examples.length === 0 || examples.some(({ line }) => !line.includes(`refloat ${name}`)),
    );
    expect(strange.map(({ name }) => name)).toEqual([]);
  });
});
