/** vault keys: the passwords that open the vault. */
import { z } from "zod";
import { writeRecoveryKey } from "../../core/keys/recovery-key.ts";
import type { AddedKey, VaultKey } from "../../core/ports/vault-keys.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import { shortId } from "../../model/identifiers.ts";
import { addKey, listKeys, removeKey, rotateKey } from "../../operations/vault-keys.ts";
import { type KeysView, renderKeys } from "../../render/keys-screen.ts";
import { newPassword } from "../ask-password.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { drawRecoveryKeyBytes } from "../../platform/recovery-key-bytes.ts";

const actions = ["list", "add", "remove", "rotate"] as const;

const keysInput = z
  .object({
    action: z.enum(actions, "vault keys takes list, add, remove or rotate").default("list"),
    key: z
      .string()
      .regex(/^[0-9a-f]{4,64}$/, "a key is named by the first characters of its id, as `refloat vault keys` shows it")
      .nullable()
      .default(null),
    recovery: z.boolean().default(false),
    newPasswordFile: z.string().nullable().default(null),
  })
  .refine(({ action, key }) => (action === "remove") === (key !== null), "remove names the key, the others name none")
  .refine(
    ({ recovery, action, newPasswordFile }) => !recovery || (action === "add" && newPasswordFile === null),
    "--recovery is for add, and draws the key itself",
  );

export const vaultKeysCommand = defineCommand({
  name: "vault keys",
  group: "Machinery",
  summary: "the passwords that open the vault: list, add, remove, rotate",
  about: [
    "A vault may have several passwords; each opens all of it. `add` adds one, `rotate` changes the one that opened this session, `remove` takes " +
      "one away. The one that opened this session is never removed by it, so a vault never loses its last. Stock restic takes them all.",
    "`add --recovery` draws a key to print and keep on paper, apart from the machines, and shows it once. It is taken wherever a password of " +
      "the vault is, typed in any case, with or without dashes.",
    "A new password does not encrypt anything anew: who has had a password and a copy of the vault can read that copy for ever. And " +
      "whoever can write to a vault can read all of it: one vault for those who may see the same.",
  ],
  arguments: [
    { name: "ACTION", about: "list (also without it), add, remove, rotate", required: false, completes: actions },
    { name: "KEY", about: "with remove: the first characters of its id", required: false, completes: null },
  ],
  options: [
    { name: "recovery", about: "with add: draw a key for paper" },
    {
      name: "new-password-file",
      value: "FILE",
      about: "with add and rotate: read the new password from this file; else it is asked for",
      completes: "files",
    },
  ],
  examples: [
    { line: "refloat vault keys", about: "who can open the vault" },
    { line: "refloat vault keys add --recovery", about: "a key to print" },
    { line: "refloat vault keys remove 3c71e0aa", about: "after somebody has left" },
  ],
  exits: [3, 4],
  input: keysInput,
  act: async (input, context) => acts[input.action](await context.bench(), input, context),
});

type Act = (bench: Workbench, input: z.infer<typeof keysInput>, context: CommandContext) => Promise<CommandResult>;

const acts = {
  list: (bench, _input, context) => answerKeys(bench, context, { shown: null, done: null }),

  add: async (bench, { recovery, newPasswordFile }, context) => {
    const shown = recovery ? writeRecoveryKey(drawRecoveryKeyBytes()) : null;
    const password = shown ?? (await newPassword(context, newPasswordFile));
    const added = await addKey(bench, password, recovery ? "recovery key" : "password");
    return answerKeys(bench, context, { shown, done: `added key ${shortId(added.id)}`, added });
  },

  remove: async (bench, input, context) => {
    const key = input.key ?? "";
    await requireYes(context, {
      question: `Remove key ${key}? Its password will not open the vault any more.`,
      unasked: "a key that is removed cannot be brought back",
      nextCommand: `refloat vault keys remove ${key} --yes`,
    });
    const removed = await removeKey(bench, key);
    return answerKeys(bench, context, { shown: null, done: `removed key ${shortId(removed.id)}` });
  },

  rotate: async (bench, { newPasswordFile }, context) => {
    const { added, removed } = await rotateKey(bench, await newPassword(context, newPasswordFile));
    const change = `key ${shortId(added.id)} is in the place of ${shortId(removed.id)}`;
    return answerKeys(bench, context, {
      shown: null,
      done: `${change}: put the new password where vault.password points to`,
      added,
    });
  },
} as const satisfies Record<(typeof actions)[number], Act>;

const answerKeys = async (
  bench: Workbench,
  { output }: CommandContext,
  { shown, done, added }: Pick<KeysView, "shown" | "done"> & { readonly added?: AddedKey },
): Promise<CommandResult> => {
  const keys: readonly VaultKey[] = await listKeys(bench);
  const now = bench.clock.now().toISOString();
  const { lock = null, notLocked = null } = added ?? {};
  const text = renderKeys(keys, { shown, done, lock, notLocked, now }, output.screen(bench.host.timeZone));
  return answer("vault-keys", { keys, recoveryKey: shown, lock, notLocked }, text);
};
