/** vault escrow: secrets that a recovery needs, sealed under a key of their own. */
import { resolve } from "node:path";
import { z } from "zod";
import type { EscrowView } from "../../core/escrow/escrow-view.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import { listEscrows, openEscrow, sealEscrow } from "../../operations/vault-escrow.ts";
import { renderEscrow } from "../../render/escrow-screen.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { escrowLock, givenEscrowKey, requireEscrowKey } from "../escrow-key.ts";

const actions = ["list", "seal", "open"] as const;

const escrowInput = z
  .object({
    action: z.enum(actions, "vault escrow takes list, seal or open").default("list"),
    path: z.array(z.string().min(1)).default([]),
    keyFile: z.string().nullable().default(null),
    recipient: z.array(z.string()).default([]),
    recovery: z.boolean().default(false),
    acceptMissing: z.boolean().default(false),
    bundle: z
      .string()
      .regex(
        /^[0-9a-f]{4,64}$/,
        "a bundle is named by the first characters of its id, as `refloat vault escrow` shows it",
      )
      .nullable()
      .default(null),
  })
  .refine(({ action, path }) => action !== "list" || path.length === 0, "list names no path")
  .refine(
    ({ action, path }) => action !== "open" || path.length === 1,
    "open names one folder, which is not there yet: refloat vault escrow open secrets",
  )
  .refine(
    ({ action, recipient, recovery, acceptMissing }) =>
      action === "seal" || (recipient.length === 0 && !recovery && !acceptMissing),
    "--recipient, --recovery and --accept-missing are for seal",
  )
  .refine(
    ({ recipient, recovery, keyFile }) =>
      [recipient.length > 0, recovery, keyFile !== null].filter(Boolean).length <= 1,
    "a bundle is sealed with one of --recipient, --recovery and --key-file",
  )
  .refine(
    ({ action, bundle }) => action !== "seal" || bundle === null,
    "seal makes a new bundle: --bundle is for list and open",
  );

type EscrowInput = z.infer<typeof escrowInput>;

export const vaultEscrowCommand = defineCommand({
  name: "vault escrow",
  group: "Machinery",
  summary: "secrets that a recovery needs, sealed under a key of their own: list, seal, open",
  about: [
    "Points hold references to secrets, never the secrets. `seal` collects them (each ${file:...}, ${env:...} and ${command:...} of all services, " +
      "and the files and folders that are named) into one bundle, encrypted in the format of age, and keeps it in the vault. Its key is its own: a " +
      "password that opens the vault too is refused, and who has only the vault's password sees when a bundle was sealed, how large it is and " +
      "how many secrets it holds, neither names nor contents.",
    "With --recipient it is sealed for public keys of age, so that this machine cannot open it again: that is for cron. With --recovery a key to " +
      "print is drawn and shown once. Without either a password is read from --key-file or REFLOAT_ESCROW_PASSWORD, or asked for.",
    "`open` writes a bundle into a new folder, files of mode 0600, and puts nothing in its place: that is for a person to do. Each opening, and " +
      "each attempt with a wrong key, is in the audit log. Stock restic and age open a bundle without Refloat: docs/break-glass.md.",
  ],
  arguments: [
    { name: "ACTION", about: "list (also without it), seal, open", required: false, completes: actions },
    {
      name: "PATH",
      about: "with seal: further files and folders; with open: the folder to make",
      required: false,
      repeats: true,
      completes: "files",
    },
  ],
  options: [
    {
      name: "key-file",
      value: "FILE",
      about: "the file with the bundle's password, or with the private key of age that opens it",
      completes: "files",
    },
    {
      name: "recipient",
      value: "KEY",
      repeatable: true,
      about: "with seal: a public key of age (age1...); may be given again",
    },
    { name: "recovery", about: "with seal: draw a key for paper" },
    { name: "accept-missing", about: "with seal: go without the secrets that cannot be read here" },
    { name: "bundle", value: "ID", about: "with list and open: another one than the newest" },
  ],
  examples: [
    { line: "refloat vault escrow seal --recovery /etc/ssl/private/shop.key", about: "a bundle, and its key to print" },
    {
      line: "0 4 * * *  refloat vault escrow seal --recipient age1ql3z7h... --json",
      about: "by cron: only the holder of the private key can open it",
    },
    { line: "refloat vault escrow list --key-file key", about: "what is in the newest bundle" },
    {
      line: "refloat vault escrow open secrets --vault /mnt/backup/vault",
      about: "at a recovery, when nothing else is left",
    },
  ],
  exits: [3, 4, 7],
  input: escrowInput,
  act: async (input, context) => acts[input.action](await context.bench(), input, context),
});

type Act = (bench: Workbench, input: EscrowInput, context: CommandContext) => Promise<CommandResult>;

const acts = {
  list: async (bench, { keyFile, bundle }, context) => {
    const key = bundle === null ? await givenEscrowKey(context, keyFile) : await requireEscrowKey(context, keyFile);
    return tell(bench, context, await listEscrows(bench, key, bundle));
  },

  seal: async (bench, { path, keyFile, recipient, recovery, acceptMissing }, context) => {
    const { lock, shown } = await escrowLock(context, { recipients: recipient, recovery, keyFile });
    const paths = path.map((one) => resolve(context.shell.currentDirectory, one));
    const sealed = await sealEscrow(bench, { paths, lock, acceptMissing }, context.signal);
    return tell(bench, context, sealed, shown);
  },

  open: async (bench, { path, keyFile, bundle }, context) => {
    const target = resolve(context.shell.currentDirectory, path[0] ?? "");
    const key = await requireEscrowKey(context, keyFile);
    return tell(bench, context, await openEscrow(bench, { key, bundle, target }, context.signal));
  },
} as const satisfies Record<(typeof actions)[number], Act>;

const tell = (
  bench: Workbench,
  { output }: CommandContext,
  view: EscrowView,
  shown: string | null = null,
): CommandResult => {
  const now = bench.clock.now().toISOString();
  const text = renderEscrow(view, { shown, now }, output.screen(bench.host.timeZone));
  return answer("vault-escrow", { ...view, bundles: [...view.bundles], recoveryKey: shown }, text);
};
