/** Answers a shell at Tab. Whatever goes wrong, it offers less and says nothing: a message would land in the middle of what is typed. */
import type { Workbench } from "../core/ports/workbench.ts";
import type { Declaration } from "../model/declaration.ts";
import { shortId } from "../model/identifiers.ts";
import type { Command } from "./command.ts";
import { completePlaces } from "./complete-places.ts";
import { type CompletionSources, type Suggestion, completeWords } from "./complete-words.ts";
import { filesDirective } from "./completion-scripts.ts";
import { readGlobalOptions } from "./global-options.ts";
import { lazyWorkbench } from "./open-workbench.ts";
import { createOutput } from "./output.ts";
import type { Shell } from "./shell.ts";

/** @param words after `refloat __complete --` */
export const answerCompletion = async (
  commands: readonly Command[],
  words: readonly string[],
  shell: Shell,
): Promise<void> => {
  const output = createOutput(shell, { json: false, color: false, logOnStderr: false });
  const workbench = lazyWorkbench({
    shell,
    global: readGlobalOptions(typedOptions(words), shell),
    output,
    about: null,
    tellsRuns: false,
  });
  try {
    const found = await completeWords(commands, words, sourcesOf(workbench.open));
    output.answer(found === "files" ? filesDirective : found.map(({ word, about }) => `${word}\t${about}`).join("\n"));
  } catch {
    // Said in the docstring: nothing to offer.
  } finally {
    await workbench.close().catch(() => undefined);
    await output.flush();
  }
};

/** `--config other.yaml` decides which services there are, also while the line is being typed. */
const typedOptions = (words: readonly string[]): Readonly<Record<string, unknown>> => {
  const after = (flag: string): string | undefined => {
    const inline = words.find((word) => word.startsWith(`${flag}=`));
    return inline === undefined ? words[words.indexOf(flag) + 1] : inline.slice(flag.length + 1);
  };
  return Object.fromEntries(
    ["config", "state"].flatMap((name) =>
      words.some((word) => word === `--${name}` || word.startsWith(`--${name}=`)) ? [[name, after(`--${name}`)]] : [],
    ),
  );
};

const sourcesOf = (open: () => Promise<Workbench>): CompletionSources => {
  const declaration = async (): Promise<Declaration> => (await open()).declaration();
  return {
    services: async () =>
      Object.values((await declaration()).services).map(({ name, components, description }) => ({
        word: name,
        about: description ?? Object.keys(components).join(", "),
      })),
    components: async (service) => {
      const { services } = await declaration();
      const chosen =
        service === null ? Object.values(services) : [services[service]].filter((known) => known !== undefined);
      return chosen.flatMap(({ components }) =>
        Object.values(components).map(({ name, type }): Suggestion => ({ word: name, about: type })),
      );
    },
    places: async (typed) => completePlaces(await open(), typed),
    marks: async (service) => {
      const marks = await (await (await open()).vault()).marks.list(service ?? undefined);
      return marks.map(({ id, name, at }) => ({ word: shortId(id), about: `${name}, ${at}` }));
    },
    runs: async () => {
      const runs = await (await (await open()).journal()).listRuns();
      return runs.map(({ number, service, purpose, state }) => ({
        word: String(number),
        about: `${purpose} ${service}, ${state}`,
      }));
    },
  };
};
