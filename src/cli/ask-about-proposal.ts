/** What `init` asks: which services, where the vault is, where its password is. Leaving a question leaves all of it. */
import { isCancel, multiselect, text } from "@clack/prompts";
import type { Proposal } from "../core/init/propose-services.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { CommandContext } from "./command.ts";

export type ProposedFile = { readonly proposal: Proposal; readonly vault: string; readonly passwordFile: string };

/** @throws RefloatError confirm.declined when a question is left */
export const askAboutProposal = async (context: CommandContext, proposed: ProposedFile): Promise<ProposedFile> => {
  const { shell, output, signal } = context;
  const terminal = { input: shell.stdin, output: shell.stderr, signal, withGuide: false };
  const giveBack = output.yieldTerminal();
  try {
    const services = await askServices(proposed.proposal, terminal);
    const vault = answered(
      await text({
        ...terminal,
        message: "Where is the vault to be? (best on another disk)",
        initialValue: proposed.vault,
        validate: absolute,
      }),
    );
    const passwordFile = answered(
      await text({
        ...terminal,
        message: "Which file holds its password? (made when it is not there)",
        initialValue: proposed.passwordFile,
        validate: absolute,
      }),
    );
    return { proposal: { ...proposed.proposal, services }, vault, passwordFile };
  } finally {
    giveBack();
  }
};

type Terminal = Pick<Parameters<typeof text>[0], "input" | "output" | "signal" | "withGuide">;

const askServices = async (proposal: Proposal, terminal: Terminal): Promise<Proposal["services"]> => {
  if (proposal.services.length < 2) return proposal.services;
  const names = answered(
    await multiselect({
      ...terminal,
      message: "Which services? (space chooses)",
      options: proposal.services.map(({ name, components }) => ({
        value: name,
        label: name,
        hint: components.map((component) => component.name).join(", "),
      })),
      initialValues: proposal.services.map(({ name }) => name),
      required: true,
    }),
  );
  return proposal.services.filter(({ name }) => names.includes(name));
};

const absolute = (path: string | undefined): string | undefined =>
  path?.startsWith("/") === true ? undefined : "an absolute path, please";

const answered = <Answer>(answer: Answer): Exclude<Answer, symbol> => {
  if (!isCancel(answer)) return answer as Exclude<Answer, symbol>;
  throw new RefloatError("confirm.declined", "the questions were left", {
    state: "nothing was written",
    nextCommand: "refloat init",
  });
};
