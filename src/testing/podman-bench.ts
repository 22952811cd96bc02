/**
 * A podman of its own for a test: storage, run folder and locks in a temporary folder, and a root file system of one program. Debian:
 * `podman`, `runc`, `busybox-static`. Podman is found through a folder on the path, so that a test reads what it was told and may hold it.
 */
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { listProcesses, readPlaces } from "../platform/process-table.ts";
import { createTestFolder } from "./driver-context.ts";

export type PodmanBench = {
  readonly folder: string;
  readonly rootfs: string;
  /** `options:` and `arguments:` of an entry. */
  readonly declared: { readonly options: readonly string[]; readonly arguments: readonly string[] };
  /** @returns standard output without its last newline */
  readonly podman: (...words: readonly string[]) => Promise<string>;
  /** Containers, and storage that no container has. */
  readonly count: () => Promise<number>;
  /** Every command line of podman so far, a line each. */
  readonly calls: () => Promise<string>;
  /** While this file is there, `podman start` does not begin. */
  readonly hold: string;
  /** Processes that watch containers, those of containers that nobody knows any more among them. */
  readonly monitors: () => readonly number[];
  readonly close: () => Promise<void>;
};

const programs = ["sh", "httpd", "sleep", "env", "cat", "echo"];

const makeRootfs = async (path: string): Promise<void> => {
  for (const name of ["bin", "proc", "sys", "dev", "tmp", "etc", "run", "www"])
    await mkdir(join(path, name), { recursive: true });
  await copyFile("/bin/busybox", join(path, "bin/busybox"));
  for (const name of programs) await symlink("busybox", join(path, "bin", name));
  await writeFile(join(path, "www/index.html"), "inside\n");
};

export const openPodmanBench = async (): Promise<PodmanBench> => {
  const { path: folder } = await createTestFolder("refloat-podman");
  const at = (name: string): string => join(folder, name);
  const [rootfs, hold, calls] = [at("rootfs"), at("hold"), at("calls")];
  await makeRootfs(rootfs);
  await mkdir(at("path"));
  // Its locks are in files: those in shared memory are the machine's, and stay.
  await writeFile(at("containers.conf"), `[engine]\nlock_type = "file"\n`);
  const { stdout: program } = await execa("/bin/sh", ["-c", "command -v podman"]);
  await writeFile(
    at("path/podman"),
    `#!/bin/sh
echo "$*" >> '${calls}'
case " $* " in *" start "*) while [ -e '${hold}' ]; do touch '${hold}.met'; sleep 0.02; done ;; esac
CONTAINERS_CONF='${at("containers.conf")}' exec '${program}' "$@"
`,
  );
  await chmod(at("path/podman"), 0o755);
  const pathBefore = process.env["PATH"] ?? "";
  process.env["PATH"] = [at("path"), pathBefore].join(delimiter);
  const options = [
    `--root=${at("storage")}`,
    `--runroot=${at("run")}`,
    `--tmpdir=${at("tmp")}`,
    `--network-config-dir=${at("networks")}`,
    "--storage-driver=vfs",
    "--events-backend=none",
    "--cgroup-manager=cgroupfs",
    "--runtime=/usr/sbin/runc",
  ];
  const podman = async (...words: readonly string[]): Promise<string> =>
    (await execa("podman", [...options, ...words])).stdout;
  // Where root's podman remembers blobs, whatever its storage.
  const blobs = "/var/lib/containers";
  const hadBlobs = existsSync(blobs);
  const busy = () => listProcesses().filter(({ pid }) => readPlaces(pid).words.some((word) => word.includes(folder)));
  return {
    folder,
    rootfs,
    // A first process takes no notice of a signal that it has no handler for.
    declared: {
      options,
      arguments: ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096", "--stop-signal=SIGKILL"],
    },
    podman,
    count: async () => (await podman("ps", "--all", "--external", "--quiet")).split("\n").filter(Boolean).length,
    calls: () => readFile(calls, "utf8"),
    hold,
    monitors: () => busy().flatMap(({ pid }) => (readPlaces(pid).words[0]?.endsWith("conmon") === true ? [pid] : [])),
    close: async () => {
      await rm(hold, { force: true });
      await podman("rm", "--all", "--force", "--volumes");
      // What watched a container still cleans up after its end.
      while (busy().length > 0) await delay(20);
      process.env["PATH"] = pathBefore;
      await rm(folder, { recursive: true });
      if (!hadBlobs) await rm(blobs, { recursive: true, force: true });
    },
  };
};
