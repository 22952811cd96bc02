/**
 * An application that uses a library of a package is captured with it; the package is removed, and a recovery installs it again from the
 * point, without a network. By the machine's own dpkg, in a mount namespace with a layer over /usr, /var and /etc that goes with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa, execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { findByEnvironment, signalProcess } from "../../src/platform/process-table.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { buildPackage } from "../../src/testing/package-root.ts";
import { declareIn } from "./support/declare.ts";
import { launcher } from "./support/refloat-program.ts";

const layers = `mount -t tmpfs none "$0"; for d in usr var etc; do
  mkdir "$0/$d" "$0/$d.work" && mount -t overlay overlay -o "lowerdir=/$d,upperdir=$0/$d,workdir=$0/$d.work" "/$d" || exit 1
done`;

const canLayer = ((): boolean => {
  if (process.getuid?.() !== 0) return false;
  const { exitCode } = execaSync("unshare", ["-m", "sh", "-c", layers, "/mnt"], { reject: false });
  return exitCode === 0;
})();
if (!canLayer)
  process.stderr.write(
    "SKIPPED: a recovery with packages, since layers over /usr cannot be mounted here (root alone may)\n",
  );

const library = "/usr/lib/refloat-shop/libshop.so.1";

describe.skipIf(!canLayer)("packages of a point", { timeout: 300_000 }, () => {
  let folder: TestFolder;
  let port: number;
  let inside: ChildProcess;
  const at = (name: string): string => join(folder.path, name);

  const within = (program: string, words: readonly string[]) =>
    execa("nsenter", ["--mount", `--target=${inside.pid ?? 0}`, "--", program, ...words], {
      reject: false,
      cwd: folder.path,
      env: { REFLOAT_CONFIG: at("refloat.yaml"), REFLOAT_STATE: at("state"), LC_ALL: "C" },
      stdin: "ignore",
    });
  const refloat = (...words: readonly string[]) => within(process.execPath, [launcher, ...words]);
  const succeed = async (...words: readonly string[]) => {
    const ended = await refloat(...words);
    if (ended.exitCode !== 0) throw new Error(`refloat ${words.join(" ")}: ${ended.stdout}\n${ended.stderr}`);
    return ended;
  };
  const packages = async (): Promise<readonly string[]> => {
    const asked = ["-W", "-f", "${Package} ${Version} ${db:Status-Status}\\n", "refloat-*"];
    return (await within("dpkg-query", asked)).stdout.split("\n").filter((line) => line.endsWith(" installed"));
  };
  const answer = () => fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
  const servers = () => findByEnvironment({ SHOP_LIBRARY: library, SHOP_FOLDER: folder.path });
  const endServers = async (): Promise<void> => {
    for (const one of servers()) signalProcess(one, "SIGKILL");
    while (servers().length > 0) await delay(20);
  };
  const declare = (provision: string) =>
    declareIn(
      folder.path,
      `services:
  shop:
${provision}    components:
      app:
        type: process
        release: ${at("release")}
        start: test -e $SHOP_LIBRARY && LD_PRELOAD=$SHOP_LIBRARY exec '${process.execPath}' server.cjs
        ports: ${port}
        packages: captured
        environment: { PORT: "\${self.port}", SHOP_LIBRARY: ${library}, SHOP_FOLDER: ${folder.path} }
`,
    );
  const ready = async () => {
    const { stdout, exitCode } = await refloat("ready", "shop", "--json");
    const { data } = resultEnvelopeSchema("ready").parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    return {
      exitCode,
      check: data.checks.find(({ subject, found }) => subject === "fingerprint" && found.includes("refloat-lib")),
    };
  };

  beforeAll(async () => {
    folder = await createTestFolder("refloat-recover-packages");
    port = await findFreePort();
    await mkdir(at("layers"));
    inside = spawn("unshare", ["-m", "sh", "-c", `${layers}; echo there; exec sleep infinity`, at("layers")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (inside.stdout !== null) await once(inside.stdout, "data");
    await mkdir(at("release"));
    await writeFile(
      at("release/server.cjs"),
      'require("node:http").createServer((_, to) => to.end("shop")).listen(Number(process.env.PORT), "127.0.0.1");\n',
    );
    const { stdout } = await execa("ldd", [process.execPath]);
    const copied = /(\/\S*libdl\.so\.2) /.exec(stdout)?.[1] ?? "/lib/x86_64-linux-gnu/libdl.so.2";
    await mkdir(at("built"));
    const data = await buildPackage(at("built"), { name: "refloat-data", version: "2:1.0~rc1" });
    const lib = await buildPackage(at("built"), {
      name: "refloat-lib",
      version: "1.0-1",
      depends: "refloat-data (>= 1), libc6",
      files: { [library]: await readFile(copied) },
    });
    const { exitCode, stderr } = await within("dpkg", ["--install", data, lib]);
    if (exitCode !== 0) throw new Error(`dpkg could not install what the test needs: ${stderr}`);
    // What can be had of them lies on this machine alone.
    await rm(at("built"), { recursive: true });
    await declare("");
    await succeed("vault", "init");
    const start = `cd ${at("release")} && LD_PRELOAD=${library} setsid '${process.execPath}' server.cjs >/dev/null 2>&1 & exit 0`;
    await within("env", [`PORT=${port}`, `SHOP_LIBRARY=${library}`, `SHOP_FOLDER=${folder.path}`, "sh", "-c", start]);
    while ((await answer().catch(() => "")) !== "shop") await delay(50);
    await succeed("capture", "shop");
  }, 240_000);

  afterAll(async () => {
    await endServers();
    const ended = once(inside, "exit");
    inside.kill("SIGKILL");
    await ended;
    await folder.remove();
  });

  it("are told by ready and the plan once they are missing, and installed by the recovery that needs them", async () => {
    expect(await packages()).toEqual(["refloat-data 2:1.0~rc1 installed", "refloat-lib 1.0-1 installed"]);
    await endServers();
    expect((await within("dpkg", ["--purge", "refloat-lib", "refloat-data"])).exitCode).toBe(0);
    expect(await packages()).toEqual([]);

    const before = await ready();
    expect(before.exitCode).toBe(4);
    expect(before.check).toMatchObject({
      level: "not-ready",
      found: expect.stringContaining("package refloat-lib 1.0-1, not found here (the point has it)"),
      hint: "declare what installs them: provision: { packages: { type: packages, of: [app] } }",
    });
    const validated = (await refloat("validate", "--live", "shop")).stdout.replaceAll(/\s+/g, " ");
    expect(validated).toContain("package refloat-lib 1.0-1 (the point has it)");

    await declare("    provision:\n      libraries: { type: packages, of: [app] }\n");
    const after = await ready();
    expect(after.check).toMatchObject({
      level: "warning",
      found: expect.stringContaining(
        "package refloat-lib 1.0-1, not found here (libraries installs it from the point)",
      ),
    });
    const plan = (await succeed("plan", "shop")).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("installs by dpkg: refloat-data 2:1.0~rc1 and refloat-lib 1.0-1");
    expect(plan).toContain("install refloat-lib 1.0-1 (amd64)");
    const live = (await refloat("validate", "--live", "shop")).stdout.replaceAll(/\s+/g, " ");
    expect(live).toContain("package refloat-lib 1.0-1 (libraries installs it from the point)");
    expect(await packages()).toEqual([]);

    await succeed("recover", "shop", "--yes");
    expect(await packages()).toEqual(["refloat-data 2:1.0~rc1 installed", "refloat-lib 1.0-1 installed"]);
    expect(await answer()).toBe("shop");
    const [pid] = servers().map((one) => one.pid);
    expect(await readFile(`/proc/${pid}/maps`, "utf8")).toContain(library);
    // Nothing of it has reached the machine itself.
    expect(execaSync("dpkg-query", ["-W", "refloat-lib"], { reject: false }).exitCode).toBe(1);
  });

  it("are found and left alone by the next one, whose cancel removes nothing", async () => {
    const plan = (await succeed("plan", "shop")).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("made by run 1: used as it is");
    await succeed("recover", "shop", "--yes", "--no-cutover");
    await succeed("cancel", "2");
    expect(await packages()).toHaveLength(2);
  });
});
