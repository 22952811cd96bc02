/**
 * Templates: strings of the file that may hold references. `${db.url}` (a dot) names an output of a component, `${auth.db.url}` one of another service,
 * `${file:/etc/x}` (a colon) a secret held elsewhere, `$${` is a literal `${`. This module reads their form only: whether a
 * component or an output exists is the declaration's business, and values are the binder's.
 */
import type { Json } from "../../model/json.ts";

export const secretSchemes = ["file", "env", "command"] as const;
export type SecretScheme = (typeof secretSchemes)[number];

export type LiteralPart = { readonly kind: "literal"; readonly text: string };

/** `${db.url}`: `component` is `db`, or `self` for the component that the string stands in. */
export type OutputPart = {
  readonly kind: "output";
  readonly component: string;
  readonly output: string;
  /** As written, braces and all, and where in the string it begins. */
  readonly source: string;
  readonly offset: number;
};

/** `${auth.db.url}`: an output of a component of another service, always of what stands behind its stable name. */
export type ForeignPart = {
  readonly kind: "foreign";
  readonly service: string;
  readonly component: string;
  readonly output: string;
  readonly source: string;
  readonly offset: number;
};

/** `${file:/etc/shop/password}`: `reference` is the inside, as `readSecret` wants it. */
export type SecretPart = {
  readonly kind: "secret";
  readonly scheme: SecretScheme;
  readonly reference: string;
  readonly source: string;
  readonly offset: number;
};

/** Why a `${` does not begin a reference. */
export type Malformation =
  /** There is no `}`. */
  | "unclosed"
  | "empty"
  /** `${NAME}`, `${NAME:-default}`: Compose's and the shell's form. */
  | "variable"
  /** `${db}`: a component without an output. */
  | "no-output"
  /** `${a.b.c.d}`. */
  | "too-long"
  /** `${vault:x}`. */
  | "unknown-scheme"
  /** `${env:}` or `${env:not a name}`. */
  | "bad-secret"
  | "nested"
  | "unreadable";

export type MalformedPart = {
  readonly kind: "malformed";
  readonly malformation: Malformation;
  readonly source: string;
  readonly offset: number;
};

export type ReferencePart = OutputPart | ForeignPart | SecretPart;
export type TemplatePart = LiteralPart | ReferencePart | MalformedPart;

const outputPattern = /^([a-z][a-z0-9_-]*)\.([A-Za-z][A-Za-z0-9_-]*)$/;
const foreignPattern = /^([a-z][a-z0-9_-]*)\.([a-z][a-z0-9_-]*)\.([A-Za-z][A-Za-z0-9_-]*)$/;
const tooLongPattern = /^[a-z][a-z0-9_-]*(\.[A-Za-z][A-Za-z0-9_-]*){2,}$/;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*(:?[-+?].*)?$/s;
const bareNamePattern = /^[a-z][a-z0-9_-]*$/;
const schemePattern = /^([A-Za-z][A-Za-z0-9+-]*):(.*)$/s;
const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

const isSecretScheme = (scheme: string): scheme is SecretScheme =>
  (secretSchemes as readonly string[]).includes(scheme);

const classify = (inside: string, source: string, offset: number): ReferencePart | MalformedPart => {
  const malformed = (malformation: Malformation): MalformedPart => ({
    kind: "malformed",
    malformation,
    source,
    offset,
  });
  if (inside.trim() === "") return malformed("empty");
  if (inside.includes("{")) return malformed("nested");
  const output = outputPattern.exec(inside);
  if (output?.[1] !== undefined && output[2] !== undefined)
    return { kind: "output", component: output[1], output: output[2], source, offset };
  const [, service, component, foreign] = foreignPattern.exec(inside) ?? [];
  if (service !== undefined && component !== undefined && foreign !== undefined)
    return { kind: "foreign", service, component, output: foreign, source, offset };
  if (tooLongPattern.test(inside)) return malformed("too-long");
  if (bareNamePattern.test(inside)) return malformed("no-output");
  if (variablePattern.test(inside)) return malformed("variable");
  const [, scheme, rest = ""] = schemePattern.exec(inside) ?? [];
  if (scheme === undefined) return malformed("unreadable");
  if (!isSecretScheme(scheme)) return malformed("unknown-scheme");
  if (rest.trim() === "" || (scheme === "env" && !environmentNamePattern.test(rest))) return malformed("bad-secret");
  return { kind: "secret", scheme, reference: inside, source, offset };
};

/**
 * Splits a string into literals and references; neighbouring literals are one part. Never throws: what is no reference
 * comes back as `malformed`, and a declaration that passed `parseDeclaration` has none of those.
 */
export const parseTemplate = (text: string): readonly TemplatePart[] => {
  const parts: TemplatePart[] = [];
  let literal = "";
  const flush = (): void => {
    if (literal !== "") parts.push({ kind: "literal", text: literal });
    literal = "";
  };
  let position = 0;
  while (position < text.length) {
    const dollar = text.indexOf("${", position);
    if (dollar < 0) {
      literal += text.slice(position);
      break;
    }
    if (dollar > position && text[dollar - 1] === "$") {
      literal += `${text.slice(position, dollar - 1)}\${`;
      position = dollar + 2;
      continue;
    }
    literal += text.slice(position, dollar);
    flush();
    const close = text.indexOf("}", dollar);
    if (close < 0) {
      parts.push({ kind: "malformed", malformation: "unclosed", source: text.slice(dollar), offset: dollar });
      break;
    }
    parts.push(classify(text.slice(dollar + 2, close), text.slice(dollar, close + 1), dollar));
    position = close + 1;
  }
  flush();
  return parts;
};

export type JsonPath = readonly (string | number)[];

export type FoundReference<Part extends TemplatePart = ReferencePart | MalformedPart> = {
  /** Where in the value the string stands. */
  readonly path: JsonPath;
  readonly part: Part;
};

/** All references in the strings of a JSON value (keys are never templates), in the order of the value. */
export const findReferences = (value: Json, path: JsonPath = []): readonly FoundReference[] => {
  if (typeof value === "string")
    return parseTemplate(value).flatMap((part) => (part.kind === "literal" ? [] : [{ path, part }]));
  if (Array.isArray(value))
    return (value as readonly Json[]).flatMap((item, index) => findReferences(item, [...path, index]));
  if (value !== null && typeof value === "object")
    return Object.entries(value).flatMap(([key, item]) => findReferences(item, [...path, key]));
  return [];
};

/** Text that `parseTemplate` gives back as one literal: for what is found on a machine and written into a file. */
export const escapeTemplate = (text: string): string => text.replaceAll("${", () => "$${");
