/**
 * Keeps secrets out of the file and off command lines. A literal password is refused with the line that would be right, and its
 * characters are shown in no excerpt; a secret in a command is refused, since every user of a machine reads command lines.
 */
import type { Json } from "../../model/json.ts";
import { foreignComponent } from "./foreign-component.ts";
import { outputsOf, referentOf } from "./outputs-of.ts";
import { keysAt, shapeOf } from "./schema-shape.ts";
import { isSecretKey, isSecretVariable, passwordsInUrls, takesFromElsewhere } from "./secret-keys.ts";
import type { Reading } from "./reading.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { subjectText } from "./report-issues.ts";
import { type ForeignPart, type JsonPath, type OutputPart, findReferences } from "./template.ts";
import { nodeAt, piecePlaceAt } from "./yaml-source.ts";

/** Keys whose text is run. */
const commandKeys = new Set(
  "start stop migrate command reload hold observe capture restore inspect drop switch identity facts position line freeze thaw apply destroy proof release shell arguments enter".split(
    " ",
  ),
);

/** Outputs of a component are lines, whatever their names. */
const isCommand = (path: JsonPath): boolean =>
  commandKeys.has(keyOf(path)) || ((path[2] === "components" || path[2] === "provision") && path[4] === "outputs");

/** Variables of a program: whatever they are called, their text is a value. A Terraform module has them in two places. */
const isVariable = (path: JsonPath): boolean =>
  path.includes("environment") || (path[2] === "provision" && path[4] === "variables");

/** @param service path of the service; `${...}` that cannot be read are told elsewhere */
export const checkSecrets = (reading: Reading, service: JsonPath, draft: ServiceDraft): void => {
  for (const path of textPaths(nodeAt(reading.root, service)?.value ?? null, service)) {
    refusePlainSecret(reading, path, draft);
    refuseInCommand(reading, path, draft);
  }
};

/** Secrets of the vault, and of those who are notified, by the same rules. @param root key of the file */
export const checkSecretsOutside = (reading: Reading, root: "vault" | "notify"): void => {
  for (const path of textPaths(nodeAt(reading.root, [root])?.value ?? null, [root]))
    refusePlainSecret(reading, path, undefined);
};

const textPaths = (value: Json, path: JsonPath): readonly JsonPath[] => {
  if (Array.isArray(value))
    return (value as readonly Json[]).flatMap((item, index) => textPaths(item, [...path, index]));
  if (value !== null && typeof value === "object")
    return Object.entries(value).flatMap(([key, item]) => textPaths(item, [...path, key]));
  return value === null || typeof value === "boolean" ? [] : [path];
};

const keyOf = (path: JsonPath): string => path.findLast((step) => typeof step === "string") ?? "";

const refusePlainSecret = (reading: Reading, path: JsonPath, draft: ServiceDraft | undefined): void => {
  const node = nodeAt(reading.root, path);
  const value = node?.value;
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text === "") return;
  const key = keyOf(path);
  const inEnvironment = isVariable(path);
  for (const password of passwordsInUrls(text)) refuseInUrl(reading, path, password, draft);
  if (takesFromElsewhere(text)) return;
  if (inEnvironment ? isSecretVariable(key) : isSecretKey(key)) {
    hide(reading, path);
    const example = `${key}: \${file:${secretFile(path)}}`;
    reading.atValue(path, {
      code: "config.plain-secret",
      severity: inEnvironment ? "warning" : "error",
      message: inEnvironment
        ? `${subjectText(path)} looks like a secret, and would stand in every recovery point`
        : `${subjectText(path)} holds the secret itself`,
      hint: `put it into a file that only you can read, and write ${example}`,
    });
  }
};

const refuseInUrl = (reading: Reading, path: JsonPath, password: string, draft: ServiceDraft | undefined): void => {
  const place = piecePlaceAt(reading.root, path, `:${password}@`);
  const bare = { offset: place.offset + 1, length: Math.max(place.length - 2, 0) };
  reading.collector.mask(bare);
  const component = draft?.components[String(path[3])];
  const driver = component === undefined ? undefined : reading.registry.components.get(component.type);
  const hasOwnKey =
    path.length === 5 && driver !== undefined && keysAt(shapeOf(driver.options), []).includes("password");
  reading.collector.report({
    code: "config.plain-secret",
    place: bare,
    path,
    message: `${subjectText(path)} holds a password`,
    hint: hasOwnKey
      ? `leave it out of the URL and add password: \${file:${secretFile([...path.slice(0, -1), "password"])}}`
      : `in its place write \${file:${secretFile([...path.slice(0, -1), "password"])}}`,
  });
};

/** `/etc/shop/db-password` for `services.shop.components.db.password`. */
const secretFile = (path: JsonPath): string => {
  const names = path.filter((step) => typeof step === "string");
  if (names[0] !== "services") return `/etc/refloat/${(names.at(-1) ?? "secret").toLowerCase()}`;
  const owner = names[2] === "components" || names[2] === "provision" ? `${names[3] ?? ""}-` : "";
  return `/etc/${names[1] ?? "refloat"}/${owner}${(names.at(-1) ?? "secret").toLowerCase().replaceAll("_", "-")}`;
};

const hide = (reading: Reading, path: JsonPath): void => {
  const written = nodeAt(reading.root, path)?.written;
  if (written !== undefined) reading.collector.mask({ offset: written.offset, length: written.text.length });
};

const refuseInCommand = (reading: Reading, path: JsonPath, draft: ServiceDraft): void => {
  if (!isCommand(path) || isVariable(path)) return;
  const text = nodeAt(reading.root, path)?.value ?? "";
  for (const { part } of findReferences(text)) {
    if (part.kind === "malformed" || (part.kind === "output" && !isSecretOutput(reading, path, part, draft))) continue;
    if (part.kind === "foreign" && !isSecretElsewhere(reading, part)) continue;
    reading.collector.report({
      code: "config.secret-in-command",
      place: piecePlaceAt(reading.root, path, part.source),
      path,
      message: `${part.source} would put a secret on a command line, where every user of the machine can read it`,
      hint: wayAround(reading, path, part.source, draft),
    });
  }
};

const isSecretOutput = (reading: Reading, path: JsonPath, part: OutputPart, draft: ServiceDraft): boolean => {
  const own = path[2] === "invariants" ? path[5] : path[3];
  const name = part.component === "self" ? String(own) : part.component;
  const outputs = referentOf(reading.registry, draft, name)?.outputs;
  return outputs !== undefined && Object.hasOwn(outputs, part.output) && outputs[part.output]?.secret === true;
};

const isSecretElsewhere = (reading: Reading, { service, component, output }: ForeignPart): boolean => {
  const other = foreignComponent(reading, service, component);
  const outputs = other === undefined ? undefined : outputsOf(reading.registry, other);
  return outputs !== undefined && Object.hasOwn(outputs, output) && outputs[output]?.secret === true;
};

/** The variable that already holds it, or the line that would make one. */
const wayAround = (reading: Reading, path: JsonPath, source: string, draft: ServiceDraft): string => {
  const component = path.slice(0, path[2] === "quiesce" ? 3 : 4);
  const name = String(path[3]);
  const driver =
    path[2] === "provision"
      ? reading.registry.provisions.get(draft.provision[name]?.type ?? "")
      : reading.registry.components.get(path[2] === "components" ? (draft.components[name]?.type ?? "") : "");
  const takesEnvironment =
    path[2] === "quiesce" || (driver !== undefined && keysAt(shapeOf(driver.options), []).includes("environment"));
  const [, owner, output = ""] = /^\$\{([^.:]+)\.(\w+)\}$/.exec(source) ?? [];
  if (path[2] === "invariants" && (owner === "self" || owner === path[5]))
    return `the set has it in its environment: let the command read $REFLOAT_${output.toUpperCase()}`;
  if (path.includes("checks") && (owner === "self" || owner === path[3]))
    return `the check has it in its environment: let the command read $REFLOAT_${output.toUpperCase()}`;
  if (!takesEnvironment || path.includes("checks"))
    return "let the command read it from a file, or from where the program keeps its own credentials";
  const environment = nodeAt(reading.root, [...component, "environment"])?.value;
  const holder = Object.entries((environment ?? {}) as object).find(([, value]) => value === source)?.[0];
  if (holder !== undefined) return `environment has it as ${holder}: let the command read $${holder}`;
  const variable = owner === undefined ? "SECRET" : `${owner}_${output}`.toUpperCase().replaceAll("-", "_");
  return `give it by environment: { ${variable}: "${source}" } and let the command read $${variable}`;
};
