/** Every code that a diagnostic of `refloat.yaml` can have, with its meaning for the documents. Codes are never reused. */
export const diagnosticCatalogue = {
  "config.syntax": "The text is not YAML, or uses a part of YAML that a declaration does not have.",
  "config.empty": "The file, or a part of it that must hold something, is empty.",
  "config.duplicate-key": "A key is written twice in one mapping.",
  "config.unknown-key": "A key means nothing where it stands.",
  "config.missing-key": "A key that is needed is not there.",
  "config.wrong-type": "A value is of another kind: text instead of a list, a number instead of text.",
  "config.bad-value": "A value is of the right kind and still cannot be.",
  "config.bad-name": "A name has characters that a name cannot have, or is reserved.",
  "config.unknown-type": "No driver has this component type.",
  "config.unknown-kind": "No driver has this kind of check or cutover.",
  "config.unsupported": "Refloat knows the word; this version does not support what it stands for.",
  "config.bad-reference": "A ${...} cannot be read, or stands where references are not read.",
  "config.unknown-reference": "A ${...} names a component or an output that does not exist.",
  "config.unknown-component": "A component is named that the service does not have.",
  "config.cycle": "Components wait for each other, so none could be started first.",
  "config.data-cycle": "Data references run in a circle, so no order of capture proves them all.",
  "config.plain-secret": "A secret stands in the file itself.",
  "config.secret-in-command": "A secret would be put on a command line, where every user of the machine can read it.",
  "config.not-enforced": "The word is recorded with each point; this version does not act on it.",
} as const satisfies Record<string, string>;

export type DiagnosticCode = keyof typeof diagnosticCatalogue;
