/** Turns what a zod schema finds wrong into sentences with places, the likely fix among them. */
import type { z } from "zod";
import type { Json } from "../../model/json.ts";
import { durationTextSchema } from "../../model/declaration.ts";
import { nameSchema } from "../../model/identifiers.ts";
import { pathText } from "./diagnostic-collector.ts";
import { guessDuration } from "./guess-duration.ts";
import { nearestWord, suggestWord } from "./nearest-word.ts";
import type { Reading } from "./reading.ts";
import { type Shape, descriptionAt, keysAt, patternsAt, shapeOf } from "./schema-shape.ts";
import type { JsonPath } from "./template.ts";
import { nodeAt } from "./yaml-source.ts";

type Issue = z.core.$ZodIssue;

export type IssueContext = {
  readonly reading: Reading;
  /** Where in the file the value stands that the schema was asked about. */
  readonly base: JsonPath;
  readonly schema: z.ZodType;
  /** Keys that are right beside those of the schema, e.g. those that every component has. */
  readonly alsoKnown?: readonly string[];
  /** Paths of keys that are there under a wrong spelling: they are not missing as well. */
  readonly misspelt?: ReadonlySet<string>;
  /** What to say of an unknown key when no near one is known. @returns undefined to list the known ones */
  readonly aboutUnknownKey?: (key: string) => string | undefined;
};

/** Asks the schema about the value at `base`; what is wrong is reported. @returns the schema's output, or undefined */
export const readShape = <Output>(
  schema: z.ZodType<Output>,
  value: unknown,
  context: Omit<IssueContext, "schema">,
): Output | undefined => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const misspelt = new Set(issues.flatMap((issue) => misspeltPaths(issue, { ...context, schema })));
  for (const issue of issues) reportIssue(issue, [], { ...context, schema, misspelt });
  return undefined;
};

const issuePath = (issue: Issue, above: JsonPath): JsonPath => [
  ...above,
  ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step)),
];

const reportIssue = (issue: Issue, above: JsonPath, context: IssueContext): void => {
  const inner = issuePath(issue, above);
  switch (issue.code) {
    case "unrecognized_keys":
      for (const key of issue.keys) reportUnknownKey(key, inner, context);
      return;
    case "invalid_type":
      reportType(issue.expected, inner, context);
      return;
    case "invalid_value":
      reportChoice(issue.values, inner, context);
      return;
    case "invalid_format":
      reportFormat(issue, inner, context);
      return;
    case "invalid_union":
      reportUnion(issue, inner, context);
      return;
    case "invalid_key":
      reportName(issue, inner, context);
      return;
    case "too_small":
    case "too_big":
      reportSize(issue, inner, context);
      return;
    case "not_multiple_of":
    case "invalid_element":
    case "custom":
      reportOther(issue, inner, context);
      return;
    default:
      issue satisfies never;
  }
};

/** Keys that could still be written beside those that are there. */
const freeKeys = (inner: JsonPath, context: IssueContext): readonly string[] => {
  const container = nodeAt(context.reading.root, [...context.base, ...inner]);
  const known = [...keysAt(shapeOf(context.schema), inner), ...(inner.length === 0 ? (context.alsoKnown ?? []) : [])];
  return [...new Set(known)].filter((key) => container?.entries.has(key) !== true);
};

const misspeltPaths = (issue: Issue, context: IssueContext): readonly string[] => {
  if (issue.code !== "unrecognized_keys") return [];
  const inner = issuePath(issue, []);
  return issue.keys.flatMap((key) => {
    const meant = nearestWord(key, freeKeys(inner, context));
    return meant === undefined ? [] : [pathText([...inner, meant])];
  });
};

export const reportUnknownKey = (key: string, inner: JsonPath, context: IssueContext): void => {
  const container = [...context.base, ...inner];
  const free = freeKeys(inner, context);
  const nearest = nearestWord(key, free);
  const about = inner.length === 0 ? context.aboutUnknownKey?.(key) : undefined;
  const listed = free.length === 0 ? "all keys of this place are there already" : `known here: ${free.join(", ")}`;
  const other = key === "<<" ? "keys are not merged; write them out" : (about ?? listed);
  const hint = nearest === undefined ? other : `did you mean "${nearest}"?`;
  context.reading.atKey(
    [...container, key],
    { code: "config.unknown-key", message: `${subjectText(container)} has no "${key}"`, hint },
    container,
  );
};

const reportType = (expected: string, inner: JsonPath, context: IssueContext): void => {
  const path = [...context.base, ...inner];
  const node = nodeAt(context.reading.root, path);
  if (node === undefined) {
    reportMissing(inner, context);
    return;
  }
  if (node.value === null) {
    context.reading.atValue(path, {
      code: "config.empty",
      message: `${subjectText(path)} is empty`,
      hint: aboutEmpty(expected, inner, context),
    });
    return;
  }
  context.reading.atValue(path, {
    code: "config.wrong-type",
    message: `${subjectText(path)} is ${describeValue(node.value)}, not ${kindWords[expected] ?? expected}`,
    ...hintForType(expected, path, inner, context),
  });
};

export const reportMissing = (inner: JsonPath, context: IssueContext): void => {
  if (context.misspelt?.has(pathText(inner)) === true) return;
  const path = [...context.base, ...inner];
  const key = String(path.at(-1));
  const container = path.slice(0, -1);
  const about = descriptionAt(shapeOf(context.schema), inner);
  context.reading.atKey(container, {
    code: "config.missing-key",
    message: `${subjectText(container)} has no "${key}", which it needs`,
    hint: about === undefined ? `add ${key}:` : `${key}: ${lowerFirst(about)}`,
  });
};

const aboutEmpty = (expected: string, inner: JsonPath, context: IssueContext): string => {
  const keys = keysAt(shapeOf(context.schema), inner);
  if (keys.length > 0) return `its keys are ${keys.join(", ")}`;
  const about = descriptionAt(shapeOf(context.schema), inner);
  return about === undefined ? `it holds ${kindWords[expected] ?? expected}` : lowerFirst(about);
};

const kindWords: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a mapping of keys",
  record: "a mapping of keys",
  array: "a list",
  null: "empty",
};

const describeValue = (value: Json): string => {
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value === "boolean") return `the word ${value}`;
  if (typeof value === "string") return "text";
  return Array.isArray(value) ? "a list" : "a mapping of keys";
};

const durationPattern = patternsAt(shapeOf(durationTextSchema), [])[0];

const hintForType = (
  expected: string,
  path: JsonPath,
  inner: JsonPath,
  context: IssueContext,
): { readonly hint?: string } => {
  const value = nodeAt(context.reading.root, path)?.value;
  const shape: Shape = shapeOf(context.schema);
  if (expected === "string" && (typeof value === "number" || typeof value === "boolean")) {
    const duration = durationPattern !== undefined && patternsAt(shape, inner).includes(durationPattern);
    return {
      hint: duration ? `a duration has a unit: ${value}s, ${value}m, ${value}h` : `in quotes it is text: "${value}"`,
    };
  }
  if (expected === "array" && typeof value === "string")
    return { hint: `a list of one is [${/^[\w./-]+$/.test(value) ? value : JSON.stringify(value)}]` };
  if ((expected === "object" || expected === "record") && typeof value === "string") {
    const glued = /^([A-Za-z_][\w-]*):(\S.*)$/.exec(value);
    if (glued !== null) return { hint: `a space is missing after the colon: ${glued[1]}: ${glued[2]}` };
    const keys = keysAt(shape, inner);
    return keys.length === 0 ? {} : { hint: `its keys are ${keys.join(", ")}` };
  }
  if (expected === "array" && value !== null && typeof value === "object")
    return { hint: "a list: each item starts with a dash" };
  if ((expected === "object" || expected === "record") && Array.isArray(value))
    return { hint: "remove the dashes: each line is a key, a colon and a value" };
  if (
    (expected === "number" || expected === "int") &&
    typeof value === "string" &&
    value.trim() !== "" &&
    Number.isFinite(Number(value))
  )
    return { hint: `without quotes it is a number: ${value}` };
  const about = descriptionAt(shape, inner);
  return about === undefined ? {} : { hint: lowerFirst(about) };
};

const reportChoice = (values: readonly unknown[], inner: JsonPath, context: IssueContext): void => {
  const path = [...context.base, ...inner];
  const node = nodeAt(context.reading.root, path);
  if (node === undefined) {
    reportMissing(inner, context);
    return;
  }
  const choices = values.map(String);
  context.reading.atValue(path, {
    code: "config.bad-value",
    message: `${subjectText(path)} cannot be ${quoted(node.value)}`,
    hint: suggestWord(typeof node.value === "string" ? node.value : "", choices, `one of ${choices.join(", ")}`),
  });
};

const reportFormat = (issue: Issue & { code: "invalid_format" }, inner: JsonPath, context: IssueContext): void => {
  const path = [...context.base, ...inner];
  const value = nodeAt(context.reading.root, path)?.value;
  const guess = typeof value === "string" ? guessDuration(value) : undefined;
  const isDuration = durationPattern !== undefined && issue.pattern?.includes(durationPattern) === true;
  context.reading.atValue(path, {
    code: "config.bad-value",
    message: `${subjectText(path)} cannot be ${quoted(value)}`,
    hint: isDuration && guess !== undefined ? `write ${guess}` : ruleOf(issue),
  });
};

/** Of a choice of forms, the one that the value looks most like is told. */
const reportUnion = (issue: Issue & { code: "invalid_union" }, inner: JsonPath, context: IssueContext): void => {
  const branches = issue.errors;
  const wrongKind = (branch: readonly Issue[]): boolean =>
    branch.some(({ code, path }) => code === "invalid_type" && path.length === 0);
  const near = branches.find((branch) => branch.length > 0 && !wrongKind(branch));
  if (near !== undefined) {
    for (const one of near) reportIssue(one, inner, context);
    return;
  }
  const path = [...context.base, ...inner];
  const node = nodeAt(context.reading.root, path);
  if (node === undefined) {
    reportMissing(inner, context);
    return;
  }
  const kinds = branches
    .flat()
    .flatMap((one) => (one.code === "invalid_type" ? [kindWords[one.expected] ?? one.expected] : []));
  const about = descriptionAt(shapeOf(context.schema), inner);
  if (node.value === null) {
    const hint = kinds.includes(kindWords["string"] ?? "") ? 'empty text is written ""' : lowerFirst(about ?? "");
    context.reading.atValue(path, { code: "config.empty", message: `${subjectText(path)} is empty`, hint });
    return;
  }
  context.reading.atValue(path, {
    code: "config.wrong-type",
    message: `${subjectText(path)} is ${describeValue(node.value)}, not ${[...new Set(kinds)].join(" or ")}`,
    ...(about === undefined ? {} : { hint: lowerFirst(about) }),
  });
};

/** A rule in its schema's own words, or else the pattern itself. */
const ruleOf = (issue: Issue): string =>
  issue.code === "invalid_format" && issue.pattern !== undefined && issue.message.startsWith("Invalid ")
    ? `it must match ${issue.pattern}`
    : issue.message;

const nameRule = nameSchema.safeParse("").error?.issues[0]?.message;

const reportName = (issue: Issue & { code: "invalid_key" }, inner: JsonPath, context: IssueContext): void => {
  const path = [...context.base, ...inner];
  const name = String(path.at(-1));
  const [broken] = issue.issues;
  const rule = broken === undefined ? issue.message : ruleOf(broken);
  const better = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .replace(/-+$/, "")
    .slice(0, 63);
  const fits = /^[a-z]/i.test(name) && nameSchema.safeParse(better).success && rule === nameRule;
  context.reading.atKey(path, {
    code: "config.bad-name",
    message: `"${name}" cannot be a name`,
    hint: fits ? `${rule}: ${better}` : rule,
  });
};

const reportSize = (issue: Issue & { code: "too_small" | "too_big" }, inner: JsonPath, context: IssueContext): void => {
  const path = [...context.base, ...inner];
  const value = nodeAt(context.reading.root, path)?.value;
  const limit = issue.code === "too_small" ? issue.minimum : issue.maximum;
  const inclusive = issue.inclusive ?? true;
  const emptyText = issue.code === "too_small" && (value === "" || (Array.isArray(value) && value.length === 0));
  context.reading.atValue(path, {
    code: emptyText ? "config.empty" : "config.bad-value",
    message: emptyText ? `${subjectText(path)} is empty` : `${subjectText(path)} cannot be ${quoted(value)}`,
    hint:
      descriptionAt(shapeOf(context.schema), inner) !== undefined && emptyText
        ? lowerFirst(descriptionAt(shapeOf(context.schema), inner) ?? "")
        : `it must be ${issue.code === "too_small" ? (inclusive ? "at least" : "more than") : inclusive ? "at most" : "less than"} ${limit}`,
  });
};

const reportOther = (issue: Issue, inner: JsonPath, context: IssueContext): void => {
  const path = [...context.base, ...inner];
  const about = descriptionAt(shapeOf(context.schema), inner);
  context.reading.atValue(path, {
    code: "config.bad-value",
    message: `${subjectText(path)}: ${lowerFirst(issue.message)}`,
    ...(about === undefined ? {} : { hint: lowerFirst(about) }),
  });
};

/** The path of what a message is about; the file itself when the path is empty. */
export const subjectText = (path: JsonPath): string => (path.length === 0 ? "the file" : pathText(path));

const quoted = (value: Json | undefined): string =>
  typeof value === "string" ? `"${value}"` : (JSON.stringify(value) ?? "nothing");

const lowerFirst = (text: string): string =>
  /^[A-Z][a-z ]/.test(text)
    ? `${text.charAt(0).toLowerCase()}${text.slice(1)}`.replace(/\.$/, "")
    : text.replace(/\.$/, "");
