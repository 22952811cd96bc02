/** browse at a real terminal: keys in, pictures out, and the terminal as it was on every way out. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { refloatInside } from "./support/refloat-inside.ts";
import { launcher } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let point: string;

const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-browse-"));
  await mkdir(at("uploads/invoices"), { recursive: true });
  await writeFile(at("uploads/invoices/17.pdf"), "invoice 17\n");
  await writeFile(at("uploads/two\nlines\u001B[31m"), "odd\n");
  // The second has the name that the first is shown by.
  await writeFile(at(String.raw`uploads/a\b`), "one\n");
  await writeFile(at(String.raw`uploads/a\\b`), "two\n");
  for (let n = 0; n < 40; n += 1) await writeFile(at(`uploads/file-${n}`), `${n}`);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      uploads: { type: files, path: ${at("uploads")} }
`,
  );
  const refloat = refloatInside(folder);
  await refloat.succeed(["vault", "init"]);
  for (const text of ["invoice 17, corrected\n", "invoice 17\n"]) {
    await writeFile(at("uploads/invoices/17.pdf"), text);
    const { lines } = await refloat.succeed(["capture", "shop", "--json"]);
    point = (lines.at(-1) as { data: { id: string } }).data.id.slice(0, 8);
  }
  await refloat.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const entering = "\u001B[?1049h";
const leaving = "\u001B[?1049l";

/** The program at a terminal of its own, whose settings before and after are kept. */
const atTerminal = (line: string, environment: Readonly<Record<string, string>> = {}) => {
  const program = execa(
    "script",
    [
      "-qefc",
      `stty cols 80 rows 24; tty > tty; stty -g > before
sh -c 'echo $$ > pid; exec "${process.execPath}" "${launcher}" ${line}'; code=$?
stty -g > after; exit $code`,
      "/dev/null",
    ],
    { reject: false, cwd: folder, env: { REFLOAT_STATE: at("state"), TERM: "xterm", ...environment }, stdin: "pipe" },
  );
  let written = "";
  program.stdout.on("data", (part: Buffer) => {
    written += part.toString();
  });
  /** What stands on the screen now, line by line. */
  const picture = (): readonly string[] =>
    stripVTControlCharacters(written.split("\u001B[H").at(-1)?.split(leaving)[0] ?? "")
      .split("\r\n")
      .map((text) => text.trimEnd());
  const until = (wanted: RegExp | string): Promise<void> =>
    vi.waitFor(
      () => {
        expect(written).toContain(entering);
        expect(picture().join("\n")).toMatch(wanted);
      },
      { timeout: 60_000, interval: 20 },
    );
  return {
    written: () => written,
    picture,
    until,
    /** Waits for the picture that the keys make. */
    press: async (keys: string, wanted: RegExp | string) => {
      program.stdin.write(keys);
      await until(wanted);
    },
    send: (keys: string) => program.stdin.write(keys),
    resize: async (columns: number, rows: number) => {
      await execa("stty", ["-F", (await readFile(at("tty"), "utf8")).trim(), "cols", `${columns}`, "rows", `${rows}`]);
    },
    terminate: async () => {
      process.kill(Number(await readFile(at("pid"), "utf8")), "SIGTERM");
    },
    ended: async () => {
      const { exitCode } = await program;
      // Whatever happened, the terminal is as it was: its settings, its screen, its cursor.
      expect(await readFile(at("after"), "utf8")).toBe(await readFile(at("before"), "utf8"));
      return { exit: exitCode, after: written.split(leaving).at(-1) ?? "", left: written.split(leaving).length - 1 };
    },
  };
};

const down = "\u001B[B";
const escape = "\u001B";

describe("browse at a terminal", () => {
  it("looks around, searches, shows versions, extracts, follows the window, and leaves it as it was", async () => {
    const terminal = atTerminal(`browse ${point}`, { NO_COLOR: "1" });
    await terminal.until(/^> .* files .*uploads$/m);
    await terminal.press("\r", /^> .* a\\\\\\\\b$/m);
    expect(terminal.picture()).toHaveLength(24);
    await terminal.press(down, /^> .* a\\\\b$/m);
    await terminal.press("G", /^> .* two\\nlines\\x1b\[31m$/m);
    await terminal.press("/a\\", / 1\/2 of 44$/m);
    await terminal.press("\rjx\r", /every byte verified/);
    expect(await readFile(at(String.raw`a\b`), "utf8")).toBe("one\n");
    await terminal.press(escape, / 2\/44$/m);
    await terminal.press("/INV", / 1\/1 of 44$/m);
    await terminal.press("\r", /^q quit/m);
    await terminal.press("\r", /^> .* 17\.pdf$/m);
    await terminal.press("v", /^versions of 17\.pdf .* 1\/2$/m);
    await terminal.press("j", /^> -rw.* 22 B .* [0-9a-f]{8}$/m);
    await terminal.press("x", /^extract [0-9a-f]{8}-17\.pdf to folder: \._$/m);
    await terminal.press("\r", /every byte verified/);
    await terminal.press("x\r", /^target\.exists: /m);
    await terminal.press("h", /^> .* 17\.pdf$/m);
    await terminal.press("l", /^content +[0-9a-f]{10}/m);
    await terminal.press("?", /^\? +these keys$/m);
    await terminal.resize(40, 10);
    await terminal.press("hh", new RegExp(`^${point}:uploads:invoices +1/1$`, "m"));
    expect(terminal.picture()).toHaveLength(10);
    for (const line of terminal.picture()) expect(line.length).toBeLessThanOrEqual(40);
    // eslint-disable-next-line no-control-regex
    expect(terminal.written()).not.toMatch(/\u001B\[[0-9;]*m/);
    terminal.send(escape);
    const { exit, after, left } = await terminal.ended();
    expect({ exit, left }).toEqual({ exit: 0, left: 1 });
    const name = /\/([0-9a-f]{8}-17\.pdf): file of uploads as of point/.exec(after)?.[1] ?? "none";
    expect(await readFile(at(name), "utf8")).toBe("invoice 17, corrected\n");
  });

  it("told to stop it gives the terminal back first", async () => {
    const terminal = atTerminal(`browse ${point}:uploads`);
    await terminal.until(/^> .* a\\\\\\\\b$/m);
    expect(terminal.written()).toContain("\u001B[7m");
    await terminal.terminate();
    const { exit, after, left } = await terminal.ended();
    expect({ exit, left }).toEqual({ exit: 7, left: 1 });
    expect(stripVTControlCharacters(after)).toContain("error interrupted: told to stop by SIGTERM");
  });

  it("lists where that is wanted", async () => {
    const terminal = atTerminal(`browse ${point}:uploads --list`);
    expect(await terminal.ended()).toMatchObject({ exit: 0, left: 0 });
    expect(terminal.written()).toContain("44 entries");
    expect(terminal.written()).not.toContain(entering);
  });
});
