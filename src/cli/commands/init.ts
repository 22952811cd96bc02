/** init: write refloat.yaml by looking at this machine and asking. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { declarationText } from "../../core/init/declaration-text.ts";
import { firstCommands } from "../../core/init/first-commands.ts";
import { type Proposal, proposeServices } from "../../core/init/propose-services.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { discoverMachine } from "../../platform/discover.ts";
import { makePasswordFile, proposedPlaces } from "../../platform/init-places.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { packageFile } from "../../platform/program-files.ts";
import { canAsk } from "../ask.ts";
import { askAboutProposal } from "../ask-about-proposal.ts";
import { nextLine } from "../../render/screen.ts";
import { type CommandContext, answer, defineCommand } from "../command.ts";
import { readInput } from "../read-input.ts";
import { requireYes } from "../confirmation.ts";
import { pathExists, wantedConfigFile } from "../global-options.ts";
import { during } from "../live-progress.ts";

const pathInput = z
  .string()
  .refine((text) => text.startsWith("/"), { error: ({ input }) => `"${String(input)}" must be an absolute path` });

const placesInput = z.object({ vault: pathInput.nullable(), passwordFile: pathInput.nullable() });

export const initCommand = defineCommand({
  name: "init",
  group: "Every day",
  summary: "write refloat.yaml by looking at this machine and asking",
  about: [
    "Looks at what runs here (PostgreSQL databases, processes that listen and their folders, HAProxy), proposes a commented refloat.yaml, " +
      "asks where the vault and its password are to be and which services to keep, shows the file, and writes it. Never overwrites one.",
    "Where a server does not know the user that Refloat would log in as, it prints the line that makes the role. " +
      "Reads only; values of other programs' variables and passwords are not written anywhere. Without root, other users' processes cannot be " +
      "looked at, and the file says so. --vault says where the vault is to be (best on another disk), --password-file which file holds " +
      "its password; one that does not exist is made, with a random password.",
  ],
  arguments: [],
  options: [],
  examples: [
    { line: "refloat init", about: "asks, and writes ./refloat.yaml" },
    {
      line: "refloat init --config /etc/refloat/refloat.yaml --vault /backup/vault --yes",
      about: "as proposed, unasked",
    },
  ],
  exits: [3, 7],
  tellsRuns: false,
  input: z.object({}),
  act: async (_input, context) => {
    const { global, shell, output, signal } = context;
    const input = readInput("init", placesInput, global);
    const file = wantedConfigFile(global, shell);
    if (await pathExists(file)) {
      throw new RefloatError("config.exists", `there is a file ${file} already`, {
        state: "nothing was written",
        // With --vault the file that is there would be ignored.
        nextCommand: global.vault === null ? "refloat validate" : `refloat --config ${shellWord(file)} validate`,
      });
    }
    const found = await during(output, systemClock, "looking at this machine", () => discoverMachine(signal));
    const defaults = proposedPlaces();
    const proposed = {
      proposal: proposeServices(found),
      vault: input.vault ?? defaults.vault,
      passwordFile: input.passwordFile ?? defaults.passwordFile,
    };
    const asks = canAsk(shell, output) && !global.yes;
    const chosen = asks ? await askAboutProposal(context, proposed) : proposed;
    const { proposal, vault, passwordFile } = chosen;
    const text = declarationText(proposal, { vaultUrl: vault, passwordFile, schema: schemaFile });
    if (!global.yes) {
      output.say(text);
      await requireYes(context, {
        question: `Write this to ${file}?`,
        unasked: "what is proposed wants a look before it is written",
        nextCommand: "refloat init --yes",
      });
    }
    const made = await writeAll({ file, text, passwordFile });
    return answer(
      "init",
      {
        file,
        services: proposal.services.map(({ name }) => name),
        notes: [...proposal.notes],
        first: firstCommands(proposal.services).map(({ command }) => command),
      },
      summary({ file, proposal, passwordFile, made }, context),
    );
  },
});

const schemaFile = fileURLToPath(packageFile("schema/refloat.schema.json"));

type Written = { readonly file: string; readonly text: string; readonly passwordFile: string };

/** The password first: a file that names a password which is not there would be half of what was said. @returns whether one was made */
const writeAll = async ({ file, text, passwordFile }: Written): Promise<boolean> => {
  let current = passwordFile;
  try {
    const made = await makePasswordFile(passwordFile);
    current = file;
    await writeFile(file, text, { flag: "wx" });
    return made;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new RefloatError("config.unwritable", `${current} cannot be written: ${why}`, {
      cause: error,
      state: `${file} was not written`,
      hint: "name another place: --config FILE, --password-file FILE",
    });
  }
};

const summary = (
  { file, proposal, passwordFile, made }: { file: string; proposal: Proposal; passwordFile: string; made: boolean },
  { output, global, typedWith }: CommandContext,
): string => {
  // Vault and password stand in the file by now: with --vault the next commands would ignore it, and look for points in a vault that is not made.
  const screen = { ...output.screen("UTC"), asTyped: typedWith({ ...global, vault: null, passwordFile: null }) };
  const { paint } = screen;
  return [
    `Wrote ${file}`,
    ...proposal.services.map(({ name, components }) => `  ${name}: ${components.map((part) => part.name).join(", ")}`),
    ...(made
      ? [
          `Made ${passwordFile} with a random password. Keep a copy of it elsewhere: without it nobody can read the vault.`,
        ]
      : [`The vault's password is that in ${passwordFile}.`]),
    ...proposal.notes.map((note) => `${paint("yellow", "not in it")}: ${note}`),
    ...firstCommands(proposal.services).flatMap(({ why, command }) => [
      `${paint("yellow", "first")}: ${why}; this makes it, with the rights that a capture and a recovery need:`,
      `  ${paint("bold", command)}`,
    ]),
    "Read the file and change what is not right; then make the vault, and ask all that a capture and a recovery need:",
    nextLine(screen, "refloat vault init", "refloat validate --live"),
  ].join("\n");
};
