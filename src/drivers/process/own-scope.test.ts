/**
 * What Refloat starts outlives the systemd service that Refloat runs in: shown with a real systemd, as the first process of name spaces
 * that this test makes for it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findByEnvironment, isFirstOfNamespace, listProcesses, descendantsOf } from "../../platform/process-table.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const program = fileURLToPath(new URL("../../testing/provision-act-program.ts", import.meta.url));
const controlGroups = "/sys/fs/cgroup/systemd";
const owner = { run: 42, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0042" };

/** A machine whose control groups systemd cannot have is no place for it. */
const canRun =
  process.getuid?.() === 0 &&
  existsSync("/lib/systemd/systemd") &&
  existsSync(controlGroups) &&
  !existsSync("/run/systemd/system");
if (!canRun) process.stderr.write("SKIPPED: scopes of systemd are not shown: no second systemd can be started here\n");

describe.skipIf(!canRun)("under systemd", { timeout: 300_000 }, () => {
  let folder: TestFolder;
  let machine: ChildProcess;
  let first: number;

  const inside = (...words: readonly string[]) =>
    execa("nsenter", ["--target", String(first), "--mount", "--pid", "--ipc", "--net", "--", ...words], {
      reject: false,
    });
  const servers = () => findByEnvironment({ REFLOAT_STATE: folder.path });

  beforeAll(async () => {
    folder = await createTestFolder("refloat-systemd");
    const units = join(folder.path, "units");
    await mkdir(units);
    for (const target of ["default", "sysinit", "shutdown", "basic"])
      await writeFile(join(units, `${target}.target`), "[Unit]\nDefaultDependencies=no\n");
    const words = `--unshare-pid --unshare-ipc --unshare-net --as-pid-1 --die-with-parent --cap-add ALL
      --ro-bind / / --tmpfs /run --proc /proc --dev /dev --bind ${dirname(controlGroups)} ${dirname(controlGroups)}
      --bind ${folder.path} ${folder.path} --setenv container test --setenv SYSTEMD_UNIT_PATH ${units}
      /lib/systemd/systemd --system --log-target=null --show-status=no`.split(/\s+/);
    machine = spawn("bwrap", words, { stdio: "ignore" });
    const find = () => descendantsOf(machine.pid ?? 0, listProcesses()).find(({ pid }) => isFirstOfNamespace(pid));
    while (find() === undefined) await delay(20);
    first = find()?.pid ?? 0;
    while ((await inside("systemctl", "list-units", "--quiet")).exitCode !== 0) await delay(50);
  });
  afterAll(async () => {
    process.kill(first, "SIGKILL");
    machine.kill("SIGKILL");
    await once(machine, "exit");
    for (const name of ["init.scope", "system.slice"]) await removeGroups(join(controlGroups, name));
    await folder.remove();
  });

  const removeGroups = async (path: string): Promise<void> => {
    if (!existsSync(path)) return;
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.isDirectory()) await removeGroups(join(path, entry.name));
    // The kernel lets go of a group a moment after its last process has ended.
    for (let tries = 0; tries < 100; tries++) {
      try {
        await rmdir(path);
        return;
      } catch {
        await delay(20);
      }
    }
  };

  /** Over when its process has ended; then all that is left in its control group is ended too. */
  const runAsService = (unit: string, ...words: readonly string[]) =>
    inside("systemd-run", `--unit=${unit}`, "--quiet", "--property=Type=oneshot", "--", ...words);

  it("ends what a service leaves behind, so that there is something to outlive", async () => {
    const marked = ["env", `REFLOAT_STATE=${folder.path}`, "sh", "-c", "setsid sleep 1000 & exit 0"];
    expect(await runAsService("plain", ...marked)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(servers()).toEqual([]);
  });

  it("keeps what was provisioned when the service of Refloat ends, and tears it down", async () => {
    const serve = `require("node:http").createServer((_, to) => to.end("ok")).listen(8080, "127.0.0.1")`;
    const act = async (kind: "apply" | "destroy") => {
      const file = join(folder.path, `${kind}.json`);
      const options = { start: `exec '${process.execPath}' -e '${serve}'`, port: 8080 };
      const context = { folder: folder.path, component: "cache", options };
      await writeFile(
        file,
        JSON.stringify({ type: "process", context, act: kind, owner, marker: "refloat/42/scope/1" }),
      );
      return runAsService(
        `refloat-${kind}`,
        "env",
        "-C",
        repository,
        `PATH=${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
        process.execPath,
        program,
        file,
      );
    };
    expect(await act("apply")).toMatchObject({ exitCode: 0, stderr: "" });
    const [server] = servers();
    expect(servers()).toHaveLength(1);
    expect(await readFile(`/proc/${server?.pid ?? 0}/cgroup`, "utf8")).toMatch(/name=systemd:.*\.scope$/m);
    expect(await act("destroy")).toMatchObject({ exitCode: 0, stderr: "" });
    expect(servers()).toEqual([]);
  });
});
