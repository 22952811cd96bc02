/** The keys of a `command` component: lines for /bin/sh, and what is told to them. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { durationTextSchema, environmentSchema } from "../../model/declaration.ts";

const line = (description: string) => z.string().min(1).meta({ description });

/** What others bind to: for each output a line that prints its value. */
export const outputSchema = z.union([
  line("Line that prints the value."),
  z.strictObject({
    line: line("Line that prints the value."),
    secret: z.boolean().meta({ description: "Nobody may see the value: it is refused in commands." }),
  }),
]);

/** Output names become part of references: `${search.url}`. */
export const outputNamePattern = /^[A-Za-z][A-Za-z0-9_-]*$/;

const neededLines = ["capture", "restore", "inspect", "drop"] as const;
const furtherLines = ["switch", "identity", "stop", "reload", "facts", "position", "outputs"] as const;

/** Lines or a plugin, one of the two and all of it. */
const formFault = (options: Readonly<Record<string, unknown>>): string | null => {
  const isDeclared = (key: string): boolean => options[key] !== undefined;
  if (isDeclared("plugin")) {
    const lines = [...neededLines, ...furtherLines].filter(isDeclared);
    return lines.length === 0 ? null : `a plugin stands for all lines: take ${lines.join(", ")} out`;
  }
  const strays = ["options", "silence"].filter(isDeclared);
  if (strays.length > 0) return `${strays.join(" and ")}: belongs to a plugin, and none is declared`;
  const missing = neededLines.filter((key) => !isDeclared(key));
  return missing.length === 0 ? null : `needs ${missing.join(", ")}; or plugin: in place of all lines`;
};

export const commandComponentSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^([A-Za-z0-9][A-Za-z0-9._-]*|\/+[^/\n].*)$/, "name is a word, or an absolute path of a folder or file")
      .optional()
      .meta({
        description:
          "Stable name of what is captured, a word or an absolute path; the component's name when left out. A recovery makes NAME_r42, or PATH.r42, beside it.",
      }),
    plugin: z
      .string()
      .regex(/^\/+[^/\n].*$/, "plugin is the absolute path of a program")
      .optional()
      .meta({ description: "Program that stands for the tool by the plugin protocol, in place of all lines." }),
    options: z.record(z.string(), z.unknown()).optional().meta({
      description: "What the plugin asks for; it brings the schema. The place for references, secret ones too.",
    }),
    silence: durationTextSchema
      .optional()
      .meta({ description: "How long a plugin may say nothing before it counts as hung. Default 60s." }),
    capture: line("Line that writes the data to standard output. Exit status 0 says that it is whole.").optional(),
    restore: line(
      "Line that reads the data from standard input and makes $REFLOAT_NAME of it, which must be new.",
    ).optional(),
    inspect: line("Line that prints what is at $REFLOAT_NAME: absent, partial or done. Changes nothing.").optional(),
    drop: line("Line that removes $REFLOAT_NAME for good. It may run again.").optional(),
    switch: line(
      "Line that puts $REFLOAT_INCOMING behind the stable name and gives the old side the name $REFLOAT_OUTGOING. A name that is a path is switched by Refloat without it.",
    ).optional(),
    identity: line(
      "Line that prints what stands at $REFLOAT_NAME by something that a switch does not change, and nothing if there is nothing. Goes with switch.",
    ).optional(),
    stop: line(
      "Of a name that is a path: line that stops what uses it, before the switch. It may run again.",
    ).optional(),
    reload: line(
      "Line that starts what uses the stable name, or tells it to read it again, after the switch.",
    ).optional(),
    facts: line(
      "Line that prints a JSON object of what is at $REFLOAT_NAME: counts and hashes. Asked at capture and of each restored instance, which must say the same.",
    ).optional(),
    position: line(
      "Line that prints how far $REFLOAT_NAME has been written, such as a revision; nothing where that cannot be told. Without it an undo cannot know what it would lose.",
    ).optional(),
    outputs: z.record(z.string().regex(outputNamePattern), outputSchema).optional().meta({
      description: "What others bind to, ${search.url}: for each a line that prints the value for $REFLOAT_NAME.",
    }),
    environment: environmentSchema
      .optional()
      .meta({ description: "Variables for all lines. The place for references, secret ones too." }),
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]*\$?$/i, "user is the name of a user of this machine")
      .optional()
      .meta({ description: "User that the lines run as; the one that runs Refloat when left out." }),
    mayBeEmpty: z
      .boolean()
      .optional()
      .meta({ description: "A capture may write nothing at all. Without it no data is a failure." }),
    timeout: durationTextSchema
      .optional()
      .meta({ description: "How long capture and restore may take. No limit when left out." }),
  })
  .superRefine((options, checked) => {
    const fault = formFault(options);
    if (fault !== null) checked.addIssue({ code: "custom", message: fault });
  })
  .refine((options) => (options.switch === undefined) === (options.identity === undefined), {
    error: "switch and identity go together: whether a switch has happened is told by the identities",
  })
  .refine((options) => options.stop === undefined || (options.switch === undefined && isPath(options.name)), {
    error: "stop goes with a name that is a path and without switch, which stops what it has to by itself",
  })
  .refine((options) => options.outputs === undefined || !Object.hasOwn(options.outputs, "name"), {
    error: "outputs has name already: the place that the component stands for",
  })
  .meta({ description: "Any tool, by its own commands over standard input and output, or by a plugin." });
export type CommandComponentOptions = z.infer<typeof commandComponentSchema>;

export type CommandContext = DriverContext<CommandComponentOptions>;

/** Keys that hold a line; outputs have theirs. */
export type LineKey =
  | "capture"
  | "restore"
  | "inspect"
  | "drop"
  | "switch"
  | "identity"
  | "stop"
  | "reload"
  | "facts"
  | "position";

export const isPath = (name: string | undefined): boolean => name?.startsWith("/") === true;

export const dataTimeoutMs = ({ timeout }: CommandComponentOptions): number | null =>
  timeout === undefined ? null : (parseDuration(timeout) ?? null);
