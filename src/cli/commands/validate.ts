/** validate: is the file right; with --live, would what it names answer? */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { findService } from "../../core/declaration/find-service.ts";
import { parseDeclaration } from "../../core/declaration/parse-declaration.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { Declaration } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { validateLive } from "../../operations/validate-live.ts";
import { renderLiveValidation } from "../../render/live-validation-screen.ts";
import { nextLine } from "../../render/screen.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { diagnosticsText } from "../error-text.ts";
import { findConfigFile } from "../global-options.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const validateCommand = defineCommand({
  name: "validate",
  group: "Every day",
  summary: "check the file; --live: sources, secrets, programs, targets",
  about: [
    "Reads refloat.yaml and names every mistake with its place and the likely fix. Reaches nothing else.",
    "With --live it also asks the vault, each source, credential and program, and what directs traffic, whether they would answer a capture " +
      "and a recovery now, asks the checks, invariants and the probe of the live side, and prints what exactly each of the two runs and the grants that they need. Changes nothing in either case.",
  ],
  arguments: [{ ...serviceArgument, required: false }],
  options: [{ name: "live", about: "ask sources, secrets, programs, targets and the vault too" }],
  examples: [
    { line: "refloat validate", about: "the file" },
    { line: "refloat validate --live shop", about: "all that a capture and a recovery of shop need" },
  ],
  exits: [3, 4],
  input: z.object({ service: serviceInput.nullable().default(null), live: z.boolean().default(false) }),
  act: async ({ service, live }, context) => {
    const checked = await readChecked(context);
    if (service !== null) findService(checked.declaration, service);
    return live ? askLive(service, context) : told(checked, service, context);
  },
});

type CheckedFile = { readonly file: string; readonly declaration: Declaration; readonly warnings: string };

/** @throws RefloatError config.not-found, config.invalid */
const readChecked = async (context: CommandContext): Promise<CheckedFile> => {
  const { shell, global, output } = context;
  const bench = await context.bench();
  const file = await findConfigFile(global, shell);
  // Says what is wrong with a file that cannot be read, in the same words as every other command.
  const declaration = await bench.declaration();
  const { diagnostics } = parseDeclaration(await readFile(file, "utf8"), file, bench.registry);
  const paint = output.errorScreen(bench.host.timeZone).paint;
  return {
    file,
    declaration,
    warnings: diagnosticsText(diagnostics, { paint, currentDirectory: shell.currentDirectory }),
  };
};

const told = async (
  { file, declaration, warnings }: CheckedFile,
  only: string | null,
  { output, bench: open }: CommandContext,
): Promise<CommandResult> => {
  const bench = await open();
  if (warnings !== "") output.note(warnings);
  const services = Object.values(declaration.services).filter(({ name }) => only === null || name === only);
  const text = [
    `${file} is right`,
    ...services.map(({ name, components, manual = [] }) => {
      const parts = Object.keys(components);
      return `  ${name}: ${parts.length === 0 ? `a runbook of ${formatAmount(manual.length, "manual steps")}` : parts.join(", ")}`;
    }),
    nextLine(output.screen(bench.host.timeZone), `refloat validate --live${only === null ? "" : ` ${only}`}`),
  ].join("\n");
  const data = {
    file,
    services: services.map(({ name, components }) => ({ name, components: Object.keys(components) })),
  };
  return answer("validate", data, text);
};

const askLive = async (
  only: string | null,
  { bench: open, output, signal }: CommandContext,
): Promise<CommandResult> => {
  const bench = await open();
  const live = await during(output, bench.clock, "asking sources and targets", () => validateLive(bench, only, signal));
  const text = renderLiveValidation(live, output.screen(bench.host.timeZone));
  if (live.ok) return answer("validate-live", live, text);
  const faults = live.subjects.flatMap(({ report }) => report.findings.filter(({ ok }) => !ok));
  const error = new RefloatError(
    "validate.faults",
    `${formatAmount(faults.length, "faults")} would stop a capture or a recovery`,
    {
      state: "nothing was changed",
      nextCommand: `refloat validate --live${only === null ? "" : ` ${only}`}`,
    },
  );
  return answer("validate-live", live, text, error);
};
