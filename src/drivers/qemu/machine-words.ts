/** A virtual machine as qemu is told of it. Its own files are named as they lie in its folder, in which qemu runs. */
import { isAbsolute } from "node:path";
import { sha256Of } from "../../core/planner/plan-digest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { publishedPorts } from "../../platform/published-port.ts";
import { type QemuContext, machineName, memoryMebibytes } from "./qemu-options.ts";

/** Files of the folder of a machine. */
export const machineFiles = {
  disk: "disk.qcow2",
  console: "console.log",
  log: "qemu.log",
  control: "qmp.sock",
} as const;

export const emulator = "qemu-system-x86_64";

export type Accelerator = "kvm" | "tcg";

export type BoundMachine = {
  /** The base of its disk. */
  readonly base: { readonly path: string; readonly format: "qcow2" | "raw" } | null;
  readonly media: readonly string[];
  readonly kernel: string | null;
  readonly initrd: string | null;
  /** All words but those of `startWords`. */
  readonly words: readonly string[];
  /** Digest of what the machine is made from, and as what. */
  readonly declared: string;
};

/** @throws RefloatError config.invalid for what cannot be handed on as it is meant */
export const bindMachine = async (context: QemuContext): Promise<BoundMachine> => {
  const { options, component, bind } = context;
  const bound = (text: string, key: string): Promise<string> => bindCommand(bind, text, `${key} of ${component}`);
  const path = async (text: string, key: string): Promise<string> => {
    const value = await bound(text, key);
    if (isAbsolute(value)) return value;
    throw new RefloatError("config.invalid", `${key} of ${component} is ${value}, which is no absolute path`);
  };
  const optional = async (key: "disk" | "kernel" | "initrd"): Promise<string | null> => {
    const text = options[key];
    return text === undefined ? null : path(text, key);
  };
  const [disk, kernel, initrd] = [await optional("disk"), await optional("kernel"), await optional("initrd")];
  const media = await Promise.all((options.media ?? []).map((text) => path(text, "media")));
  const append = options.append === undefined ? null : await bound(options.append, "append");
  const base = disk === null ? null : { path: disk, format: options.format ?? ("qcow2" as const) };
  // As JSON: commas in a path are nothing special there.
  const words = [
    ["-machine", "q35"],
    // All that the accelerator can give.
    ["-cpu", "max"],
    ["-m", `${memoryMebibytes(options)}M`],
    ["-smp", String(options.cpus ?? 1)],
    ["-nodefaults", "-no-user-config"],
    ["-display", "none"],
    ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    base === null ? [] : blockWords("disk", { driver: "qcow2", discard: "unmap" }, machineFiles.disk),
    ...media.map((medium, index) => blockWords(`medium${index}`, { driver: "raw", "read-only": true }, medium)),
    kernel === null ? [] : ["-kernel", kernel],
    initrd === null ? [] : ["-initrd", initrd],
    append === null ? [] : ["-append", append],
    ["-chardev", `file,id=console,path=${machineFiles.console},append=on`, "-serial", "chardev:console"],
    ["-device", "virtio-rng-pci"],
    networkWords(context),
    ["-chardev", `socket,id=control,path=${machineFiles.control},server=on,wait=off`],
    ["-mon", "chardev=control,mode=control"],
  ].flat();
  return { base, media, kernel, initrd, words, declared: sha256Of(JSON.stringify({ base, words })) };
};

const blockWords = (name: string, format: Readonly<Record<string, unknown>>, path: string): readonly string[] => [
  "-blockdev",
  JSON.stringify({ "node-name": name, ...format, file: { driver: "file", filename: path } }),
  "-device",
  `virtio-blk-pci,drive=${name}`,
];

/** A network of its own that qemu itself plays: no interface, no address and no rule of this machine is changed. */
const networkWords = ({ options }: QemuContext): readonly string[] => {
  const forwards = publishedPorts(options).map(
    ({ address, port, inside }) => `hostfwd=tcp:${address}:${port}-:${inside}`,
  );
  const restrict = options.network === "outbound" ? "off" : "on";
  return [
    "-netdev",
    ["user", "id=net", `restrict=${restrict}`, ...forwards].join(","),
    "-device",
    "virtio-net-pci,netdev=net,romfile=",
  ];
};

/** @param uuid by which the machine tells who it is, to us and to what runs inside */
export const startWords = (
  context: QemuContext,
  { words }: BoundMachine,
  uuid: string,
  accelerator: Accelerator,
): readonly [string, ...string[]] => [
  emulator,
  "-name",
  `guest=${machineName(context).replaceAll(",", ",,")}`,
  "-uuid",
  uuid,
  "-accel",
  accelerator,
  ...words,
];

/** The layer over the base, which takes all that the machine writes. */
export const layerWords = ({ path, format }: NonNullable<BoundMachine["base"]>): readonly [string, ...string[]] => [
  "qemu-img",
  "create",
  "-q",
  "-f",
  "qcow2",
  "-F",
  format,
  "-b",
  path,
  machineFiles.disk,
];
