/**
 * A guest for tests of virtual machines: a real Linux kernel, an initial RAM disk with busybox that brings up its disk and its network, serves
 * by HTTP what stood at the beginning of its disk, and powers down by its button, after it has left a word on the disk. Debian:
 * `qemu-system-x86`, `qemu-utils`, `busybox-static`.
 */
import { chmod, copyFile, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { execa } from "execa";
import { RefloatError } from "../model/refloat-error.ts";
import { findByEnvironment, listProcesses, readPlaces, signalProcess } from "../platform/process-table.ts";
import { createTestFolder } from "./driver-context.ts";
import { findGuestKernel } from "./guest-kernel.ts";

export type QemuBench = {
  readonly folder: string;
  /** A qcow2 image whose first bytes are `content\n`. */
  readonly base: string;
  readonly content: string;
  /** `disk:`, `kernel:`, `initrd:`, `append:` and sizes of an entry whose guest serves on its port 80. */
  readonly guest: Readonly<Record<string, unknown>>;
  /** Of a machine with nothing on its disk that could start: it stays in its firmware. */
  readonly idle: Readonly<Record<string, unknown>>;
  /** Process ids of machines of a state folder. */
  readonly machines: (stateDirectory: string) => readonly number[];
  /** Bytes of a disk at rest, as the guest would see them. */
  readonly readDisk: (path: string, offset: number, length: number) => Promise<string>;
  readonly close: () => Promise<void>;
};

/** In the order in which each finds what it needs. */
const modules = (
  "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk failover net_failover " +
  "virtio_net button evdev"
).split(" ");
const programs = "sh mount insmod ip dd acpid httpd poweroff echo printf nc".split(" ");

const start = `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in ${modules.join(" ")}; do insmod /modules/$module.ko; done
ip link set lo up; ip address add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2
dd if=/dev/vda of=/www/index.html bs=8 count=1 2>/dev/null
acpid -f -d -l /dev/console &
echo guest is up
exec httpd -f -p 80 -h /www
`;

/** What the button does. */
const powerDown = `#!/bin/sh
echo "powered " | dd of=/dev/vda bs=8 seek=1 conv=fsync 2>/dev/null
poweroff -f
`;

/** By HTTP one asks the guest to reach something: `/cgi-bin/reach?10.0.2.2:1234` says what came back. */
const reach = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
nc -w 3 "\${QUERY_STRING%:*}" "\${QUERY_STRING#*:}" < /dev/null && echo reached || echo no way
`;

const makeInitrd = async (folder: string, modulesFolder: string): Promise<string> => {
  const root = join(folder, "root");
  for (const name of ["bin", "proc", "sys", "dev", "modules", "www/cgi-bin", "etc/acpi/PWRF"])
    await mkdir(join(root, name), { recursive: true });
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  for (const name of programs) await symlink("busybox", join(root, "bin", name));
  const files = await readdir(modulesFolder, { recursive: true });
  for (const name of modules) {
    const found = files.find((file) => basename(file) === `${name}.ko`);
    if (found === undefined) throw new Error(`the kernel for guests has no module ${name}, in ${modulesFolder}`);
    await copyFile(join(modulesFolder, found), join(root, "modules", `${name}.ko`));
  }
  const scripts = [
    ["init", start],
    ["etc/acpi/PWRF/00000080", powerDown],
    ["www/cgi-bin/reach", reach],
  ] as const;
  for (const [name, text] of scripts) {
    await writeFile(join(root, name), text);
    await chmod(join(root, name), 0o755);
  }
  const path = join(folder, "initrd");
  await execa("/bin/sh", ["-c", `cd "$0" && find . | busybox cpio -o -H newc > "$1"`, root, path]);
  await rm(root, { recursive: true });
  return path;
};

export const openQemuBench = async (): Promise<QemuBench> => {
  const kernel = findGuestKernel();
  if (kernel === null)
    throw new RefloatError("program.missing", "the kernel that tests boot in virtual machines is not there", {
      nextCommand: "npm run setup",
    });
  const { path: folder, remove } = await createTestFolder("refloat-qemu");
  const content = "on disk";
  const [raw, base] = [join(folder, "base.raw"), join(folder, "base,with: odd name.qcow2")];
  await writeFile(raw, `${content}\n${"\0".repeat(1024 * 1024)}`);
  await execa("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, base]);
  const initrd = await makeInitrd(folder, kernel.modules);
  const idle = { disk: base, memory: "128MiB", accelerator: "tcg" };
  const machines = (stateDirectory: string): readonly number[] =>
    findByEnvironment({ REFLOAT_STATE: stateDirectory }).map(({ pid }) => pid);
  return {
    folder,
    base,
    content,
    guest: {
      ...idle,
      memory: "256MiB",
      kernel: kernel.kernel,
      initrd,
      append: "console=ttyS0 quiet panic=-1",
      startTimeout: "5m",
    },
    idle,
    machines,
    readDisk: async (path, offset, length) => {
      const whole = join(folder, "read.raw");
      await execa("qemu-img", ["convert", "-O", "raw", path, whole]);
      const { stdout } = await execa("dd", [`if=${whole}`, "bs=1", `skip=${offset}`, `count=${length}`], {
        stderr: "ignore",
      });
      await rm(whole);
      return stdout;
    },
    close: async () => {
      // Of a test that failed half way.
      for (const row of listProcesses())
        if (readPlaces(row.pid).workingDirectory?.startsWith(`${folder}/`) === true) signalProcess(row, "SIGKILL");
      await remove();
    },
  };
};
