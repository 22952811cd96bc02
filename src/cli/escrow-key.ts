/** The key of an escrow bundle: from a file, the environment or the person; or public keys, which may stand on the command line. Never a secret there. */
import { writeRecoveryKey } from "../core/keys/recovery-key.ts";
import type { EscrowKey, EscrowLock } from "../core/ports/escrow.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { drawRecoveryKeyBytes } from "../platform/recovery-key-bytes.ts";
import { hideText } from "../platform/secret.ts";
import { canAsk } from "./ask.ts";
import { checkedPassword, newPassword } from "./ask-password.ts";
import type { CommandContext } from "./command.ts";
import { askPassword, passwordInEnvironment, passwordInFile } from "./vault-password.ts";

const variable = "REFLOAT_ESCROW_PASSWORD";

export type SealingWords = {
  readonly recipients: readonly string[];
  /** Draw a key for paper. */
  readonly recovery: boolean;
  readonly keyFile: string | null;
};

/** As `age-keygen` writes it: comments, and the key in a line of its own. */
const identityIn = (text: string): string | null => /^AGE-SECRET-KEY-\S+$/m.exec(text)?.[0] ?? null;

/** @returns `shown`: the key that was drawn, to be shown once @throws RefloatError usage, confirm.needed, confirm.declined */
export const escrowLock = async (
  context: CommandContext,
  { recipients, recovery, keyFile }: SealingWords,
): Promise<{ readonly lock: EscrowLock; readonly shown: string | null }> => {
  if (recipients.length > 0) return { lock: { kind: "recipients", recipients }, shown: null };
  if (recovery) {
    const shown = writeRecoveryKey(drawRecoveryKeyBytes());
    return { lock: { kind: "password", secret: hideText(shown) }, shown };
  }
  return { lock: { kind: "password", secret: hideText(await newKey(context, keyFile)) }, shown: null };
};

const words = { of: "an escrow bundle", option: "--key-file" };

const newKey = async (context: CommandContext, keyFile: string | null): Promise<string> => {
  const given =
    keyFile === null ? passwordInEnvironment(variable, context.shell) : await passwordInFile(keyFile, context.shell);
  if (given === null) return newPassword(context, null, words);
  if (identityIn(given) === null) return checkedPassword(given, words);
  throw new RefloatError("usage", "that is the private key that opens bundles; they are sealed with its public key", {
    state: "nothing was changed",
    hint: "name the public key with --recipient, and keep the private one elsewhere",
  });
};

/** Of a bundle that is there; null where none was given. @throws RefloatError usage */
export const givenEscrowKey = async (
  { shell }: Pick<CommandContext, "shell">,
  keyFile: string | null,
): Promise<EscrowKey | null> => {
  const given = keyFile === null ? passwordInEnvironment(variable, shell) : await passwordInFile(keyFile, shell);
  if (given === null) return null;
  const identity = identityIn(given);
  return { kind: identity === null ? "password" : "identity", secret: hideText(identity ?? given) };
};

/** The same, asked for where none was given. @throws RefloatError usage, confirm.needed, confirm.declined */
export const requireEscrowKey = async (context: CommandContext, keyFile: string | null): Promise<EscrowKey> => {
  const { shell, output } = context;
  const given = await givenEscrowKey(context, keyFile);
  if (given !== null) return given;
  if (canAsk(shell, output)) {
    const typed = await askPassword("Password of the escrow bundle (or its recovery key)", shell, output);
    return { kind: "password", secret: hideText(typed) };
  }
  throw new RefloatError("confirm.needed", "nobody can be asked for the key of the escrow bundle here", {
    state: "nothing was written",
    hint: `name a file that holds it with --key-file, or set ${variable}`,
  });
};
