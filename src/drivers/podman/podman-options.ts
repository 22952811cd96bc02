/** The keys of an entry of `provision:` that is a container, and the ports that it declares. */
import { z } from "zod";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";
import { parsePort } from "../../platform/published-port.ts";

const boundPath = (what: string) =>
  z.string().regex(/^(\/|\$\{)[^\n]*$/, `${what} is an absolute path, or begins with a reference`);

/** Long options with their value in the same word: what else stands there would be taken for the image. */
const flagPattern = /^--[a-z][a-z0-9-]*(=[\s\S]*)?$/;
const isFixed = (words: readonly string[]): boolean => !words.some((word) => word.includes("${"));
const flagName = (word: string): string => word.slice(2).split("=")[0] ?? "";

const flags = (whose: string, refused: readonly string[], why: string) =>
  z.array(
    z
      .string()
      .regex(flagPattern, `${whose} are long options with their value in the same word: --ulimit=nofile=1024`)
      .refine((word) => !refused.includes(flagName(word)), {
        error: (issue) => `--${flagName(String(issue.input))} ${why}`,
      }),
  );

/** What says where podman works: only containers of this machine can be watched. */
const elsewhere = ["remote", "url", "connection", "identity", "help", "version"];
const own = (
  "name label label-file replace rm detach attach interactive tty env env-file env-host rootfs publish publish-all " +
  "network net pod pod-id-file pull stop-timeout cidfile help"
).split(" ");

export const podmanSchema = z
  .strictObject({
    image: z
      .string()
      .regex(
        /^[^\s@$]+@sha256:[0-9a-f]{64}$/,
        "image is NAME@sha256:DIGEST, since a tag may stand for another one by then",
      )
      .optional()
      .meta({
        description: "Image by its digest; pulled where this machine does not have it.",
        examples: ["registry.example.com/cache@sha256:<64 hexadecimal digits>"],
      }),
    rootfs: boundPath("rootfs")
      .optional()
      .meta({ description: "Folder of a root file system, in place of an image. It is never written to." }),
    command: z
      .array(z.union([z.string(), z.number()]))
      .optional()
      .meta({
        description: "Words of what runs inside, in the foreground; what the image says when left out.",
        examples: [["redis-server", "--port", "6379"]],
      }),
    ports: z
      .array(
        z
          .union([z.string(), z.int()])
          .refine((text) => parsePort(text) !== null, "a port is 6390, 6390:6379 or 10.0.0.5:6390:6379"),
      )
      .optional()
      .meta({
        description:
          "TCP ports as [ADDRESS:]PORT[:PORT inside], on 127.0.0.1 without an address. It is there once it listens on all of them; the first is its output.",
        examples: [["6390:6379"]],
      }),
    mounts: z
      .array(
        z
          .string()
          .regex(
            /^(\/|\$\{)[^\n]*:\/[^:,\n]*(:[A-Za-z,]+)?$/,
            "a mount is /FOLDER:/FOLDER inside, with :ro to only read",
          ),
      )
      .optional()
      .meta({
        description: "Folders and files of this machine that it sees, as HOST:INSIDE[:ro].",
        examples: [["/srv/cache:/data", "/etc/cache.conf:/etc/cache.conf:ro"]],
      }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables inside. The place for references, secret ones too." }),
    network: z
      .string()
      .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, "network is host, none or the name of one of podman's networks")
      .optional()
      .meta({ description: "host, none or one of podman's networks; podman's default when left out." }),
    options: flags("options", elsewhere, "is not for options: only containers of this machine are watched")
      .refine(isFixed, "options are the same for all that is asked of podman, and hold no reference")
      .optional()
      .meta({
        description: "Options of podman itself, the same for all that is asked of it.",
        examples: [["--runtime=/usr/sbin/runc", "--cgroup-manager=cgroupfs"]],
      }),
    arguments: flags("arguments", own, "is for Refloat to say")
      .optional()
      .meta({
        description: "More options of podman create.",
        examples: [["--memory=512m", "--restart=always"]],
      }),
    startTimeout: durationTextSchema.optional().meta({ description: "How long until it listens on its ports: 60s." }),
    stopTimeout: durationTextSchema
      .optional()
      .meta({ description: "How long it may take to stop before SIGKILL: 10s." }),
  })
  .refine(({ image, rootfs }) => (image === undefined) !== (rootfs === undefined), {
    error: "a container is made from an image or from a rootfs: one of the two",
  })
  .refine(({ network, ports = [] }) => network !== "none" || ports.length === 0, {
    error: "nothing listens for others in network none: leave out ports",
  })
  .refine(
    ({ network, ports = [] }) =>
      network !== "host" ||
      ports.every((text) => {
        const port = parsePort(text);
        return port !== null && port.port === port.inside;
      }),
    { error: "in the network of the host a port is the same inside: write it once" },
  )
  .meta({ description: "A container that podman runs on this machine, and that outlives Refloat." });
export type PodmanOptions = z.infer<typeof podmanSchema>;
