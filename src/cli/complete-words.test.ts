import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Workbench } from "../core/ports/workbench.ts";
import type { Declaration } from "../model/declaration.ts";
import { commandTable } from "./command-table.ts";
import { completeWords } from "./complete-words.ts";
import { completionScripts } from "./completion-scripts.ts";
import { runCommandLine } from "./run-command-line.ts";
import { createTestShell } from "./test-shell.ts";

const known = (...words: readonly string[]) => words.map((word) => ({ word, about: "" }));

const sources = {
  services: async () => known("shop", "market"),
  components: async (service: string | null) =>
    service === "shop" ? known("db", "uploads") : known("db", "uploads", "orders"),
  runs: async () => known("42", "41"),
  marks: async (service: string | null) => (service === "shop" ? known("0c0ffee0") : known("0c0ffee0", "5eed5eed")),
  places: async (typed: string) => (typed.includes(":") ? known("7f3a91c2:db", "7f3a91c2:uploads") : known("7f3a91c2")),
};

const complete = async (line: string) => {
  const found = await completeWords(commandTable, line.split(" "), sources);
  return found === "files" ? found : found.map(({ word }) => word);
};

describe("at Tab", () => {
  it.each([
    ["", [...new Set(commandTable.map(({ name }) => name.split(" ")[0]))]],
    ["re", ["recover", "resume", "reconcile", "rearm", "ready"]],
    ["vault ", ["init", "copy", "prune", "keys", "escrow", "locks"]],
    ["plan ", ["shop", "market"]],
    ["plan s", ["shop"]],
    ["--json plan s", ["shop"]],
    ["--config my.yaml plan s", ["shop"]],
    ["plan shop --on", ["--only"]],
    ["plan shop --only ", ["db", "uploads"]],
    ["plan shop --only db,", ["db,uploads"]],
    ["plan --only db,o", ["db,orders"]],
    ["plan shop --at ", []],
    ["mark shop --remove ", ["0c0ffee0"]],
    ["incident ", ["list", "open", "close"]],
    ["incident open ", ["shop", "market"]],
    ["timeline s", ["shop"]],
    ["resume ", ["42", "41"]],
    ["browse ", ["7f3a91c2"]],
    ["browse 7f3a91c2:u", ["7f3a91c2:uploads"]],
    ["runs 4", ["42", "41"]],
    ["completion ", ["bash", "zsh", "fish"]],
    ["--config ", "files"],
    ["plan shop --state x", "files"],
    ["nonsense ", []],
  ])("%j offers %j", async (line, words) => {
    expect(await complete(line)).toEqual(words);
  });

  it("offers options where nothing else can stand", async () => {
    expect(await complete("undo 42 ")).toContain("--accept-loss");
    expect(await complete("plan shop --")).toEqual(expect.arrayContaining(["--at", "--only", "--json", "--help"]));
  });
});

describe("refloat __complete", () => {
  const shop = { name: "shop", components: { db: { name: "db", type: "postgres" } } };
  const declaration = async () => ({ services: { shop } }) as unknown as Declaration;

  const answer = async (words: readonly string[], bench: Partial<Workbench> = { declaration }) => {
    const shell = createTestShell({ bench });
    const exit = await runCommandLine(["__complete", "--", ...words], shell);
    return { exit, shell, stdout: shell.written.stdout(), stderr: shell.written.stderr() };
  };

  it("answers in lines of word and meaning, from the file that the line names", async () => {
    const { stdout, shell } = await answer(["--config", "/other.yaml", "plan", ""]);
    expect(stdout).toBe("shop\tdb\n");
    expect(shell.settings()?.configFile).toBe("/other.yaml");
    expect(shell.closed()).toBe(1);
  });

  it("opens nothing for what needs nothing", async () => {
    const { stdout, shell } = await answer(["capt"]);
    expect(stdout).toBe("capture\ttake a recovery point\n");
    expect(shell.settings()).toBeNull();
  });

  it("says nothing when the file cannot be read: a message would land in what is being typed", async () => {
    const broken = async (): Promise<Declaration> => {
      throw new Error("no such file");
    };
    expect(await answer(["plan", ""], { declaration: broken })).toMatchObject({ exit: 0, stdout: "", stderr: "" });
  });
});

/** The scripts are asked in the shells themselves; `refloat` is one that prints what it was asked and then what the test says. */
describe("the script", () => {
  const run = promisify(execFile);
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-completion-"));
    const stub = `#!/bin/sh
printf '%s|' "$@" >"${folder}/asked"
case "$*" in *--config*) echo :files;; *) printf 'shop\\tdb: and uploads\\nstock\\t\\n';; esac
`;
    await writeFile(join(folder, "refloat"), stub);
    await chmod(join(folder, "refloat"), 0o755);
    for (const [shell, script] of Object.entries(completionScripts)) await writeFile(join(folder, shell), script);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const inShell = async (shell: string, args: readonly string[], code: string) => {
    const { stdout } = await run(shell, [...args, code], {
      cwd: folder,
      env: { PATH: `${folder}:${process.env["PATH"] ?? ""}`, HOME: folder },
    });
    return stdout;
  };

  const bash = (words: string, index: number) =>
    inShell(
      "bash",
      ["--norc", "-c"],
      `source ./bash; COMP_WORDS=(${words}); COMP_CWORD=${index}; compopt() { :; }; _refloat; printf '%s\\n' "\${COMPREPLY[@]}"; cat asked`,
    );

  it("for bash offers the words and asks for those up to the cursor", async () => {
    expect(await bash("refloat plan s --json", 2)).toBe("shop\nstock\n__complete|--|plan|s|");
    expect(await bash('refloat plan ""', 2)).toBe("shop\nstock\n__complete|--|plan||");
  });

  it("for bash leaves paths to bash", async () => {
    const offered = await bash("refloat --config re", 2);
    expect(offered.split("\n")[0]).toBe("refloat");
  });

  it.each(["bash", "zsh", "fish"] as const)("is printed by refloat completion %s", async (name) => {
    const shell = createTestShell();
    expect(await runCommandLine(["completion", name], shell)).toBe(0);
    expect(shell.written.stdout().trimEnd()).toBe(completionScripts[name].trimEnd());
  });
});
