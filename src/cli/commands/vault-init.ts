/** vault init: make the vault that refloat.yaml names. */
import { resolve } from "node:path";
import { z } from "zod";
import type { Workbench } from "../../core/ports/workbench.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { initVault } from "../../operations/vault-init.ts";
import { nextLine } from "../../render/screen.ts";
import { type CommandContext, answer, defineCommand } from "../command.ts";
import { findConfigFile, pathExists } from "../global-options.ts";
import { during } from "../live-progress.ts";

export const vaultInitCommand = defineCommand({
  name: "vault init",
  group: "Machinery",
  summary: "make the vault that the file names",
  about: [
    "Makes an empty vault at vault.url of refloat.yaml: a restic repository of format 2, encrypted with the password that vault.password " +
      "points to. Refused when there is one already. Without that password nobody can read the vault, you included: keep a copy of it " +
      "elsewhere, apart from the vault.",
    "Refused too where this machine has known a vault that is not there now: its disk is probably not mounted, and a second vault would " +
      "hide the first. --in-place-of says that it is lost for good.",
  ],
  arguments: [],
  options: [
    {
      name: "in-place-of",
      value: "VAULT",
      about: "give up the vault of this id, which was there and is lost, for a new one",
    },
  ],
  examples: [
    { line: "refloat vault init", about: "once, before the first capture" },
    { line: "refloat vault init --in-place-of 5d0c88e1", about: "its disk is lost for good" },
  ],
  exits: [3, 4],
  input: z.object({ inPlaceOf: z.string().nullable().default(null) }),
  act: async ({ inPlaceOf }, context) => {
    const { output } = context;
    const bench = await context.bench();
    const made = await during(output, bench.clock, "making the vault", () => initVault(bench, inPlaceOf));
    return answer(
      "vault-init",
      made,
      [
        `Made vault ${made.id.slice(0, 8)} at ${made.location}`,
        "Keep a copy of its password elsewhere: without it nobody can read the vault.",
        ...(bench.breakGlass ? ["What captures into it is a file that names it as vault.url."] : []),
        nextLine(
          output.screen(bench.host.timeZone),
          bench.breakGlass ? await nextWithoutFile(context) : await nextByFile(bench),
        ),
      ].join("\n"),
    );
  },
});

const nextByFile = async (bench: Workbench): Promise<string> => {
  const [service] = Object.keys((await bench.declaration()).services);
  return service === undefined ? "refloat validate" : `refloat capture ${service}`;
};

/** What was made by --vault alone has no point that anything could be declared by, and no file that captures into it is known. */
const nextWithoutFile = async ({ global, shell }: CommandContext): Promise<string> => {
  const file = await findConfigFile(global, shell);
  // Either names what is to be read: --vault would be put before the command else.
  if (await pathExists(file)) return `refloat --config ${shellWord(file)} validate`;
  const { vault, passwordFile } = global;
  // Only of a folder a file can be proposed.
  const places = vault?.startsWith("/") === true ? ["--vault", vault] : ["--config", file];
  const password = passwordFile === null ? [] : ["--password-file", resolve(shell.currentDirectory, passwordFile)];
  return ["refloat init", ...[...places, ...password].map(shellWord)].join(" ");
};
