/** The launcher, as a process: which Node it takes, and that exit codes and signals pass through it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const bin = join(import.meta.dirname, "../../bin");
let folder: string;

/** Makes the launcher believe that it runs on an old Node; what it starts is not affected. */
const asOldNode = (): string[] => {
  const preload = join(folder, "pretend.cjs");
  writeFileSync(preload, 'Object.defineProperty(process, "version", { value: "v20.20.2" });\n');
  return ["--require", preload];
};

const writeScript = (text: string): void => {
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/main.ts"), text);
};

const bringOwnNode = (version: string): void => {
  mkdirSync(join(folder, "node_modules/node/bin"), { recursive: true });
  writeFileSync(join(folder, "node_modules/node/package.json"), JSON.stringify({ name: "node", version }));
  symlinkSync(process.execPath, join(folder, "node_modules/node/bin/node"));
};

const launch = (nodeOptions: readonly string[], args: readonly string[] = []) =>
  spawnSync(process.execPath, [...nodeOptions, join(folder, "bin/refloat.cjs"), ...args], { encoding: "utf8" });

const nextLine = async (child: ChildProcess): Promise<string> => {
  if (child.stdout === null) throw new Error("no standard output");
  const [chunk] = await once(child.stdout.setEncoding("utf8"), "data");
  return String(chunk).trim();
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "refloat-launch-"));
  mkdirSync(join(folder, "bin"));
  for (const file of ["refloat.cjs", "launch.cjs"]) copyFileSync(join(bin, file), join(folder, "bin", file));
  chmodSync(join(folder, "bin/refloat.cjs"), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("bin/refloat.cjs", () => {
  it("runs the sources of a clone as the main module, with the arguments", () => {
    writeScript("console.log(import.meta.main, process.argv.slice(2).join()); process.exitCode = 7;\n");
    const { stdout, status } = launch([], ["plan", "--json"]);
    expect({ stdout, status }).toEqual({ stdout: "true plan,--json\n", status: 7 });
  });

  it("begins with the least memory, under its own number, and hands that on to nobody", () => {
    writeScript(
      "console.log([process.execArgv.filter((flag) => !flag.startsWith('--require')).join(), process.env.MALLOC_ARENA_MAX ?? 'none', process.env.MALLOC_MMAP_THRESHOLD_ ?? 'none'].join(' '));\n",
    );
    expect(launch([]).stdout).toBe("--max-semi-space-size=4 none none\n");
    const own = spawnSync(process.execPath, [join(folder, "bin/refloat.cjs")], {
      encoding: "utf8",
      env: { ...process.env, MALLOC_ARENA_MAX: "8" },
    });
    expect(own.stdout).toBe("--max-semi-space-size=4 8 none\n");
  });

  describe("keeps what it has compiled", () => {
    const asked = 'console.log(require("node:module").getCompileCacheDir() ?? "nowhere");\n';
    const placeOf = (environment: Readonly<Record<string, string>>): string => {
      const { NODE_COMPILE_CACHE: _given, XDG_CACHE_HOME: _place, ...rest } = process.env;
      mkdirSync(join(folder, "dist"), { recursive: true });
      writeFileSync(join(folder, "dist/main.js"), asked);
      return spawnSync(process.execPath, [join(folder, "bin/refloat.cjs")], {
        encoding: "utf8",
        env: { ...rest, ...environment },
      }).stdout.trim();
    };

    it("in a folder of its user's, who alone may enter it", () => {
      const home = join(folder, "home");
      mkdirSync(home, { mode: 0o755 });
      const compiled = join(home, ".cache/refloat/compiled");
      expect(placeOf({ HOME: home }).startsWith(`${compiled}/`)).toBe(true);
      expect(statSync(compiled).mode & 0o777).toBe(0o700);
      expect(placeOf({ HOME: home, XDG_CACHE_HOME: join(folder, "elsewhere") })).toContain(join(folder, "elsewhere"));
    });

    it("nowhere, rather than where others could put something else for it", () => {
      const open = join(folder, "open");
      mkdirSync(open);
      chmodSync(open, 0o777);
      mkdirSync(join(open, "home"), { mode: 0o700 });
      expect(placeOf({ HOME: join(open, "home") })).toBe("nowhere");
      expect(existsSync(join(open, "home/.cache"))).toBe(false);
      const home = join(folder, "home");
      mkdirSync(join(home, ".cache/refloat/compiled"), { recursive: true });
      for (const mode of [0o777, 0o1777]) {
        chmodSync(join(home, ".cache/refloat/compiled"), mode);
        expect(placeOf({ HOME: home })).toBe("nowhere");
      }
      expect(placeOf({ HOME: join(folder, "not/there") })).toBe("nowhere");
    });

    it.skipIf(process.getuid?.() !== 0)("nowhere in the folder of another user whose home root has", () => {
      const home = join(folder, "home");
      mkdirSync(home);
      chownSync(home, 65_534, 65_534);
      expect(placeOf({ HOME: home })).toBe("nowhere");
      expect(existsSync(join(home, ".cache"))).toBe(false);
    });
  });

  it("runs what was built when there are no sources", () => {
    mkdirSync(join(folder, "dist"));
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    writeFileSync(join(folder, "dist/main.js"), 'console.log("built");\n');
    expect(launch([]).stdout).toBe("built\n");
  });

  it("on an old Node runs the one that npm brought, and ends as it ends", () => {
    writeScript("console.log(process.version, process.argv.slice(2).join()); process.exitCode = 4;\n");
    bringOwnNode("24.21.0");
    const { stdout, status } = launch(asOldNode(), ["recover", "shop"]);
    expect({ stdout, status }).toEqual({ stdout: `${process.version} recover,shop\n`, status: 4 });
  });

  it.each([
    ["is missing", undefined],
    ["is too old itself", "22.1.0"],
  ])("on an old Node says what it needs when its own one %s", (_, version) => {
    writeScript("console.log('must not run');\n");
    if (version !== undefined) bringOwnNode(version);
    const { stdout, stderr, status } = launch(asOldNode());
    expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
    expect(stderr).toContain("refloat needs Node.js 24 or newer; this is v20.20.2");
  });

  it("passes SIGTERM on and takes over the exit code that follows", async () => {
    writeScript('process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("ready");\n');
    bringOwnNode("24.21.0");
    const child = spawn(process.execPath, [...asOldNode(), join(folder, "bin/refloat.cjs")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await nextLine(child);
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([7, null]);
  });

  it("ends by the signal that ended the child", async () => {
    writeScript("setInterval(() => {}, 1000); console.log(process.pid);\n");
    bringOwnNode("24.21.0");
    const child = spawn(process.execPath, [...asOldNode(), join(folder, "bin/refloat.cjs")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.kill(Number(await nextLine(child)), "SIGTERM");
    expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
  });
});
