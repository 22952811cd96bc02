/** Looks at every `${...}` of a service: can it be read, does what it names exist, may it stand there. */
import { formatList } from "../text/quantity.ts";
import { nearestWord } from "./nearest-word.ts";
import type { ServiceDraft } from "./service-draft.ts";
import type { Reading } from "./reading.ts";
import { foreignComponent } from "./foreign-component.ts";
import { outputsOf, referentOf } from "./outputs-of.ts";
import { subjectText } from "./report-issues.ts";
import {
  type ForeignPart,
  type FoundReference,
  type JsonPath,
  type Malformation,
  type MalformedPart,
  type OutputPart,
  findReferences,
} from "./template.ts";
import { keysAt, shapeOf } from "./schema-shape.ts";
import { nodeAt, piecePlaceAt } from "./yaml-source.ts";
import { unsupportedComponentKeys, unsupportedServiceKeys } from "./unsupported-words.ts";

/** Keys of a service whose text is taken as it is. */
const literalKeys = new Set([
  "description",
  "criticality",
  "owners",
  "objectives",
  "schedule",
  "keep",
  "lock",
  "approve",
  "steps",
  "limits",
]);

/** Keys of a component that name components, not values. */
const namingKeys = new Set(["type", "dependsOn", "uses", "resources", ...Object.keys(unsupportedComponentKeys)]);

export const checkReferences = (reading: Reading, service: JsonPath, draft: ServiceDraft): void => {
  const all = findReferences(nodeAt(reading.root, service)?.value ?? null, service);
  const seen = new Map<string, number>();
  for (const found of all) {
    const key = JSON.stringify([found.path, found.part.source]);
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    checkOne({ reading, service, draft, occurrence, ...found });
  }
};

/** Who is told is asked when no component may answer: secrets alone may be taken from elsewhere. @param root key of the file */
export const checkReferencesOutside = (reading: Reading, root: "notify"): void => {
  const draft: ServiceDraft = { name: "", provision: {}, components: {}, invariants: {} };
  for (const found of findReferences(nodeAt(reading.root, [root])?.value ?? null, [root])) {
    const one: One = { reading, service: [], draft, occurrence: 0, ...found };
    if (found.part.kind === "malformed") report(one, malformed(one, found.part));
    else if (found.part.kind === "output" || found.part.kind === "foreign")
      report(one, {
        code: "config.bad-reference",
        message: `${found.part.source} means nothing in ${subjectText(found.path)}`,
        hint: "components may be away when somebody is to be told; write ${file:...}, ${env:...} or ${command:...}",
      });
  }
};

/** Nothing outside of services has components to name: the vault's URL is literal, its password a secret. */
export const checkVaultReferences = (reading: Reading): void => {
  const draft: ServiceDraft = { name: "", provision: {}, components: {}, invariants: {} };
  const all = findReferences(nodeAt(reading.root, ["vault"])?.value ?? null, ["vault"]);
  for (const found of all.filter(({ path }) => ["url", "password", "s3"].includes(String(path[1])))) {
    const one: One = { reading, service: [], draft, occurrence: 0, ...found };
    const isSecret = found.path[1] !== "url";
    if (found.part.kind === "malformed") report(one, malformed(one, found.part));
    else if (found.part.kind === "output" || found.part.kind === "foreign" || !isSecret)
      report(one, {
        code: "config.bad-reference",
        message: `${found.part.source} means nothing in ${subjectText(found.path)}`,
        hint: isSecret
          ? "the vault is opened before any component; write ${file:...}, ${env:...} or ${command:...}"
          : "the vault's location is written out, so that it is known when nothing else is",
      });
  }
};

type One = FoundReference & {
  readonly reading: Reading;
  readonly service: JsonPath;
  readonly draft: ServiceDraft;
  /** How often the same reference stood before it in the same text. */
  readonly occurrence: number;
};

type Said = {
  readonly code: "config.bad-reference" | "config.unknown-reference" | "config.unsupported";
  readonly message: string;
  readonly hint: string;
};

const report = (one: One, said: Said): void => {
  const place = piecePlaceAt(one.reading.root, one.path, one.part.source, one.occurrence);
  one.reading.collector.report({ ...said, place, path: one.path });
};

/** A key that this version does not support, unless it is one of the component's own driver. */
const isNaming = ({ draft, reading }: One, [, component, key]: JsonPath): boolean => {
  if (!namingKeys.has(String(key))) return false;
  const driver = reading.registry.components.get(draft.components[String(component)]?.type ?? "");
  return driver === undefined || !keysAt(shapeOf(driver.options), []).includes(String(key));
};

const checkOne = (one: One): void => {
  const below = one.path.slice(one.service.length);
  const section = String(below[0]);
  if (Object.hasOwn(unsupportedServiceKeys, section)) return;
  // The query or pattern of a component's own driver is taken as it is; a set may name addresses and secrets.
  const isLiteral = literalKeys.has(section) || (section === "invariants" && below.length <= 4);
  if (isLiteral || (section === "components" && isNaming(one, below))) {
    report(one, {
      code: "config.bad-reference",
      message: `references are not read in ${subjectText(one.path)}`,
      hint:
        one.part.kind === "output" && section === "components"
          ? `write the component's name: ${one.part.component}`
          : "write it out; a literal ${ is written $${",
    });
    return;
  }
  if (one.part.kind === "malformed") report(one, malformed(one, one.part));
  else if (one.part.kind === "foreign") checkForeign(one, one.part);
  else if (one.part.kind === "output") checkOutput(one, one.part, ownerOf(below));
};

/** The component that `self` means. @param below path below the service */
const ownerOf = (below: JsonPath): string | undefined => {
  if (below[0] === "components" || below[0] === "provision") return String(below[1]);
  return below[0] === "invariants" ? String(below[3]) : undefined;
};

/** What is provisioned is there before any component, and in the order of the file. */
const refusedInProvision = ({ path, service, draft }: One, part: OutputPart, owner: string): Said | undefined => {
  if (path[service.length] !== "provision" || ["self", owner].includes(part.component)) return undefined;
  const before = Object.keys(draft.provision).slice(0, Object.keys(draft.provision).indexOf(owner));
  if (before.includes(part.component)) return undefined;
  const isLater = Object.hasOwn(draft.provision, part.component);
  return {
    code: "config.bad-reference",
    message: isLater
      ? `${part.source} is provisioned after ${owner}, in the order of the file`
      : `${part.source} is a component, and ${owner} is provisioned before any component is there`,
    hint: isLater ? `move ${part.component} above ${owner}` : "write the value out, or take a secret: ${file:...}",
  };
};

const checkOutput = (one: One, part: OutputPart, owner: string | undefined): void => {
  const { draft, reading } = one;
  if (part.component === "self" && owner === undefined) {
    const like = Object.values(draft.components).findLast(({ name }) => outputNames(one, name).includes(part.output));
    report(one, {
      code: "config.bad-reference",
      message: `${part.source} stands outside of any component`,
      hint: like === undefined ? "name the component" : `name the component: \${${like.name}.${part.output}}`,
    });
    return;
  }
  const name = part.component === "self" ? String(owner) : part.component;
  const referent = referentOf(reading.registry, draft, name);
  if (referent === undefined) {
    report(one, unknownComponent(one, part));
    return;
  }
  const refused = owner === undefined ? undefined : refusedInProvision(one, part, owner);
  if (refused !== undefined) {
    report(one, refused);
    return;
  }
  const { type, outputs } = referent;
  if (outputs === undefined || Object.hasOwn(outputs, part.output)) return;
  const names = Object.keys(outputs);
  const nearest = nearestWord(part.output, names);
  report(one, {
    code: "config.unknown-reference",
    message: `${name} (${type}) has no output "${part.output}"`,
    hint:
      nearest === undefined
        ? `it has ${names.join(", ")}`
        : `did you mean \${${part.component}.${nearest}}? it has ${names.join(", ")}`,
  });
};

/** Another service is named by all three parts. */
const checkForeign = (one: One, part: ForeignPart): void => {
  const { reading, draft } = one;
  const unknown = (message: string, hint: string): void =>
    report(one, { code: "config.unknown-reference", message, hint });
  if (part.service === draft.name) {
    const own = `\${${part.component}.${part.output}}`;
    report(one, {
      code: "config.bad-reference",
      message: `${part.source} names its own service`,
      hint: `write ${own}`,
    });
    return;
  }
  const services = [...(nodeAt(reading.root, ["services"])?.entries.keys() ?? [])];
  if (!services.includes(part.service)) {
    const nearest = nearestWord(part.service, services);
    unknown(
      `there is no service "${part.service}"`,
      nearest === undefined ? `there are ${services.join(", ")}` : `did you mean "${nearest}"?`,
    );
    return;
  }
  const other = foreignComponent(reading, part.service, part.component);
  if (other === undefined) {
    const names = [...(nodeAt(reading.root, ["services", part.service, "components"])?.entries.keys() ?? [])];
    unknown(`service ${part.service} has no component "${part.component}"`, `there are ${names.join(", ")}`);
    return;
  }
  const outputs = outputsOf(reading.registry, other);
  if (outputs === undefined || Object.hasOwn(outputs, part.output)) return;
  unknown(
    `${part.component} (${other.type}) of ${part.service} has no output "${part.output}"`,
    `it has ${Object.keys(outputs).join(", ")}`,
  );
};

const unknownComponent = (one: One, part: OutputPart): Said => {
  const names = [...Object.keys(one.draft.components), ...Object.keys(one.draft.provision)];
  const nearest = nearestWord(part.component, [...names, "self"]);
  const services = one.reading.root.entries.get("services")?.node.entries;
  if (nearest === undefined && services?.has(part.component) === true)
    return {
      code: "config.unknown-reference",
      message: `${part.source} names a service, and no component of it`,
      hint: `${part.component} is a service: write \${${part.component}.COMPONENT.${part.output}}; here there are ${formatList(names)}`,
    };
  return {
    code: "config.unknown-reference",
    message: `service ${one.draft.name} has no component "${part.component}"`,
    hint: nearest === undefined ? `there are ${names.join(", ")}` : `did you mean \${${nearest}.${part.output}}?`,
  };
};

const malformed = (one: One, part: MalformedPart): Said => {
  const inside = part.source.replace(/^\$\{/, "").replace(/\}$/, "");
  return { code: "config.bad-reference", ...malformations[part.malformation](inside, part.source, one) };
};

type Explain = (inside: string, source: string, one: One) => Omit<Said, "code"> & { readonly code?: Said["code"] };

const outputNames = ({ reading, draft }: One, name: string): readonly string[] =>
  Object.keys(referentOf(reading.registry, draft, name)?.outputs ?? {});

const malformations: Readonly<Record<Malformation, Explain>> = {
  unclosed: (inside, source) => {
    const meant = /^[\w.:/-]*/.exec(inside)?.[0] ?? "";
    return {
      message: `the reference ${source.length > 40 ? `${source.slice(0, 40)}...` : source} has no }`,
      hint: meant === "" ? "a literal ${ is written $${" : `write \${${meant}}; a literal \${ is written $\${`,
    };
  },
  empty: () => ({ message: "${} names nothing", hint: "write ${component.output}; a literal ${} is written $${}" }),
  variable: (inside, source, one) => {
    const name = /^\w+/.exec(inside)?.[0] ?? inside;
    const isNamed = ["components", "provision"].includes(String(one.path[one.service.length]));
    const owner = isNamed ? String(one.path[one.service.length + 1]) : "";
    const output = outputNames(one, owner).find((known) => known.toLowerCase() === name.toLowerCase());
    const first = output === undefined ? "" : `did you mean \${self.${output}}? `;
    return {
      message: `${source} is Compose's form and means nothing here`,
      hint: `${first}from Refloat's own environment: \${env:${name}}; for the program itself: $${source}`,
    };
  },
  "no-output": (inside, source, one) => {
    const outputs = outputNames(one, inside);
    if (outputs.length > 0)
      return {
        message: `${source} does not say which output of ${inside}`,
        hint: `write ${outputs.map((output) => `\${${inside}.${output}}`).join(", ")}`,
      };
    return {
      message: `${source} names nothing`,
      hint: `a component's output is \${component.output}; for the program itself: $${source}`,
    };
  },
  "too-long": (_inside, source) => ({
    message: `${source} has too many parts`,
    hint: "an output of this service is ${component.output}, one of another ${service.component.output}",
  }),
  "unknown-scheme": (inside, source) => ({
    message: `there is no place for secrets called "${inside.split(":", 1)[0]}"`,
    hint: `a colon means a secret: \${file:/path}, \${env:NAME} or \${command:...}; a literal is written $${source}`,
  }),
  "bad-secret": (inside, source) => ({
    message: `${source} does not say where the secret is`,
    hint: inside.startsWith("env") ? "write ${env:NAME}, a name of letters, digits and _" : "write ${file:/path/to/it}",
  }),
  nested: (_inside, source) => ({
    message: `${source} holds a brace, which a reference cannot`,
    hint: "put a longer command into a script and write ${command:/path/to/script}",
  }),
  unreadable: (inside, source, one) => {
    const trimmed = inside.replaceAll(/\s+/g, "");
    const right = /^[A-Za-z][\w-]*\.[A-Za-z][\w-]*$/.test(trimmed);
    const [component = "", output = ""] = trimmed.split(".");
    const exists =
      component === "self" || referentOf(one.reading.registry, one.draft, component.toLowerCase()) !== undefined;
    return {
      message: `${source} cannot be read`,
      hint:
        right && exists
          ? `write \${${component.toLowerCase()}.${output}}`
          : "write ${component.output}, ${file:/path}, ${env:NAME} or ${command:...}",
    };
  },
};
