/**
 * The process of a virtual machine, and what it says of itself. It is known by marks in its environment, which no process has that was
 * given its number again, and proves who it is by its UUID.
 */
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ProcessIdentity, findByEnvironment } from "../../platform/process-table.ts";
import { type Accelerator, machineFiles } from "./machine-words.ts";
import type { QemuContext } from "./qemu-options.ts";
import { type Qmp, talkTo } from "./qmp.ts";

/** In the environment of the machine from its first moment. Two installations on one machine do not take each other's. */
export const machineVariables = ({
  service,
  component,
  stateDirectory,
}: QemuContext): Readonly<Record<string, string>> => ({
  REFLOAT_INSTANCE: `${service}/${component}/machine`,
  REFLOAT_STATE: stateDirectory,
});

export const findMachine = (context: QemuContext): ProcessIdentity | null => {
  const [first] = findByEnvironment(machineVariables(context));
  return first === undefined ? null : { pid: first.pid, startTicks: first.startTicks };
};

/** By its working folder, since the path of a socket holds no more than 107 bytes. */
const controlPath = ({ pid }: ProcessIdentity): string => `/proc/${pid}/cwd/${machineFiles.control}`;

const statusSchema = z.object({ status: z.string() });
const uuidSchema = z.object({ UUID: z.string() });
const kvmSchema = z.object({ enabled: z.boolean() });
const textSchema = z.string();

/** @throws RefloatError program.failed when it does not answer, instance.exists when it is another machine */
export const talkToMachine = <Result>(
  context: QemuContext,
  machine: ProcessIdentity,
  uuid: string,
  talk: (machine: Qmp) => Promise<Result>,
): Promise<Result> =>
  talkTo(controlPath(machine), context.signal, async (qmp) => {
    const { UUID } = uuidSchema.parse(await qmp.ask("query-uuid"));
    if (UUID !== uuid)
      throw new RefloatError("instance.exists", `process ${machine.pid} is another virtual machine: ${UUID}`);
    return talk(qmp);
  });

/** `running`, `paused`, `internal-error`, `io-error`, `shutdown`, ... */
export const askStatus = async (qmp: Qmp): Promise<string> => statusSchema.parse(await qmp.ask("query-status")).status;

export const askAccelerator = async (qmp: Qmp): Promise<Accelerator> =>
  kvmSchema.parse(await qmp.ask("query-kvm")).enabled ? "kvm" : "tcg";

/** Has the machine read from its disk? Then its processor has run. */
export const hasReadDisk = async (qmp: Qmp): Promise<boolean> =>
  z
    .array(z.object({ stats: z.object({ rd_operations: z.number() }) }))
    .parse(await qmp.ask("query-blockstats"))
    .some(({ stats }) => stats.rd_operations > 0);

/** The table of connections of the network that qemu plays, as text. */
export const askConnections = async (qmp: Qmp): Promise<string> =>
  textSchema.parse(await qmp.ask("human-monitor-command", { "command-line": "info usernet" }));
