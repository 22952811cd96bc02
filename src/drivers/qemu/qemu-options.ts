/** The keys of an entry of `provision:` that is a virtual machine. */
import { isIPv4 } from "node:net";
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { parseByteSize } from "../../core/text/byte-size.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { byteSizeTextSchema, durationTextSchema } from "../../model/declaration.ts";
import { parsePort } from "../../platform/published-port.ts";

const boundPath = (what: string) =>
  z.string().regex(/^(\/|\$\{)[^\n]*$/, `${what} is an absolute path, or begins with a reference`);

const mostProcessors = 64;
const mebibyte = 1_048_576;

export const qemuSchema = z
  .strictObject({
    disk: boundPath("disk")
      .optional()
      .meta({
        description:
          "Image that the machine's disk begins as. It is never written to: what the machine writes lies in a layer of its own.",
        examples: ["/srv/images/debian-12-generic-amd64.qcow2"],
      }),
    format: z.enum(["qcow2", "raw"]).optional().meta({ description: "Format of disk: qcow2 when left out." }),
    media: z
      .array(boundPath("a medium"))
      .optional()
      .meta({
        description: "Raw images that it has as further disks and only reads, such as the seed of cloud-init.",
        examples: [["/srv/images/seed.iso"]],
      }),
    kernel: boundPath("kernel")
      .optional()
      .meta({ description: "Linux kernel that is started directly, without what the disk would start." }),
    initrd: boundPath("initrd").optional().meta({ description: "Initial RAM disk of that kernel." }),
    append: z
      .string()
      .regex(/^[^\n]*$/, "append is one line")
      .optional()
      .meta({ description: "Command line of that kernel.", examples: ["root=/dev/vda1 console=ttyS0"] }),
    memory: byteSizeTextSchema
      .refine((text) => (parseByteSize(text) ?? 0) >= mebibyte, "memory is 1MiB or more")
      .optional()
      .meta({ description: "Memory: 1GiB when left out.", examples: ["512MiB", "4GiB"] }),
    cpus: z.int().min(1).max(mostProcessors).optional().meta({ description: "Processors: 1 when left out." }),
    accelerator: z.enum(["auto", "kvm", "tcg"]).optional().meta({
      description:
        "kvm, or tcg, which needs nothing of this machine and is many times slower. auto, the default: kvm where a machine proves to run by it, else tcg.",
    }),
    network: z.enum(["isolated", "outbound"]).optional().meta({
      description:
        "isolated, the default: only ports lead in and nothing leads out. outbound: it reaches what this machine reaches, this machine's own loopback too.",
    }),
    ports: z
      .array(
        z.union([z.string(), z.int()]).refine((text) => {
          const port = parsePort(text);
          return port !== null && isIPv4(port.address);
        }, "a port is 2222, 2222:22 or 10.0.0.5:2222:22"),
      )
      .optional()
      .meta({
        description:
          "TCP ports as [ADDRESS:]PORT[:PORT inside], on 127.0.0.1 without an address. It is there once it answers on all of them; the first is its output.",
        examples: [["2222:22"]],
      }),
    startTimeout: durationTextSchema.optional().meta({ description: "How long until it answers on its ports: 5m." }),
    stopTimeout: durationTextSchema
      .optional()
      .meta({ description: "How long it may take to power down before it is ended: 60s." }),
  })
  .refine(({ disk, kernel }) => disk !== undefined || kernel !== undefined, {
    error: "a virtual machine starts from a disk or from a kernel: declare one, or both",
  })
  .refine(({ disk, format }) => disk !== undefined || format === undefined, { error: "format is that of disk" })
  .refine(({ kernel, initrd, append }) => kernel !== undefined || (initrd === undefined && append === undefined), {
    error: "initrd and append are of a kernel: declare it",
  })
  .meta({ description: "A virtual machine that qemu runs on this machine, and that outlives Refloat." });
export type QemuOptions = z.infer<typeof qemuSchema>;
export type QemuContext = DriverContext<QemuOptions>;

export const startTimeoutMs = ({ startTimeout }: QemuOptions): number => parseDuration(startTimeout ?? "5m") ?? 300_000;
export const stopTimeoutMs = ({ stopTimeout }: QemuOptions): number => parseDuration(stopTimeout ?? "60s") ?? 60_000;

/** As it was declared. */
export const memoryText = ({ memory = "1GiB" }: QemuOptions): string => memory;
export const memoryMebibytes = (options: QemuOptions): number =>
  Math.max(1, Math.floor((parseByteSize(memoryText(options)) ?? 0) / mebibyte));

/** For people, and inside qemu: `shop.box`. */
export const machineName = ({ service, component }: Pick<QemuContext, "service" | "component">): string =>
  `${service}.${component}`;
