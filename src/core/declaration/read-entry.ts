/** Reads what starts with its kind: a check (`- http: ...`), the probe, an entry of `cutover:`. */
import type { z } from "zod";
import type { CheckDeclaration, CutoverDeclaration, SetDeclaration } from "../../model/declaration.ts";
import { checkFileSchema, cutoverFileSchema, setFileSchema } from "../../model/declaration-file.ts";
import type { JsonObject } from "../../model/json.ts";
import { formatDuration, parseDuration } from "../time/duration.ts";
import { nearestWord, suggestWord } from "./nearest-word.ts";
import type { Reading } from "./reading.ts";
import { readShape, subjectText } from "./report-issues.ts";
import { keysAt, shapeOf } from "./schema-shape.ts";
import type { JsonPath } from "./template.ts";
import { unsupportedCutoverKinds } from "./unsupported-words.ts";
import { nodeAt } from "./yaml-source.ts";

const defaultCheckTimeoutMs = 30_000;
const defaultSetTimeoutMs = 300_000;

type KindDriver = { readonly kind: string; readonly options: z.ZodType };

type EntryWords = {
  /** `check` or `cutover`. */
  readonly noun: string;
  readonly drivers: ReadonlyMap<string, KindDriver>;
  readonly unsupported: Readonly<Record<string, string>>;
  /** What to do with an entry of two kinds. */
  readonly apart: string;
  /** Keys that an entry of any kind may have. */
  readonly common: readonly string[];
};

export const readCheck = (reading: Reading, path: JsonPath): CheckDeclaration | undefined =>
  readTimed(reading, path, checkWords(reading), { schema: checkFileSchema, usualMs: defaultCheckTimeoutMs });

/** One side of an invariant that is not asked of the component's own driver. */
export const readSet = (reading: Reading, path: JsonPath): SetDeclaration | undefined =>
  readTimed(
    reading,
    path,
    {
      noun: "set",
      drivers: reading.registry.sets,
      unsupported: {},
      apart: "a side of an invariant is asked in one way",
      common: ["timeout"],
    },
    { schema: setFileSchema, usualMs: defaultSetTimeoutMs },
  );

const checkWords = ({ registry }: Reading): EntryWords => ({
  noun: "check",
  drivers: registry.checks,
  unsupported: {},
  apart: "each check is an item of its own: start another with a dash",
  common: ["timeout"],
});

const readTimed = (
  reading: Reading,
  path: JsonPath,
  words: EntryWords,
  { schema, usualMs }: { readonly schema: typeof checkFileSchema; readonly usualMs: number },
): { readonly kind: string; readonly options: JsonObject; readonly timeoutMs: number } | undefined => {
  const entry = readEntry(reading, path, words);
  if (entry === undefined) return undefined;
  const { timeout, ...own } = entry.value;
  const common = readShape(schema, timeout === undefined ? {} : { timeout }, { reading, base: path });
  const options = readOptions(reading, path, entry.driver, own, ["timeout"]);
  if (common === undefined || options === undefined) return undefined;
  const timeoutMs = common.timeout === undefined ? usualMs : (parseDuration(common.timeout) ?? 0);
  if (timeoutMs === 0) {
    reading.atValue([...path, "timeout"], {
      code: "config.bad-value",
      message: `${subjectText([...path, "timeout"])} cannot be "${common.timeout}"`,
      hint: `no ${words.noun} answers in no time; leave it out for ${formatDuration(usualMs)}`,
    });
    return undefined;
  }
  return { kind: entry.driver.kind, options, timeoutMs };
};

export const readCutover = (reading: Reading, path: JsonPath): CutoverDeclaration | undefined => {
  const entry = readEntry(reading, path, {
    noun: "cutover",
    drivers: reading.registry.traffic,
    unsupported: unsupportedCutoverKinds,
    apart: "each cutover is an item of its own: start another with a dash",
    common: ["to"],
  });
  if (entry === undefined) return undefined;
  const { to, ...own } = entry.value;
  const common = readShape(cutoverFileSchema, to === undefined ? {} : { to }, { reading, base: path });
  const takesTo = to !== undefined && keysAt(shapeOf(entry.driver.options), []).includes("to");
  const options = readOptions(reading, path, entry.driver, takesTo ? entry.value : own, ["to"]);
  if (common === undefined || options === undefined) return undefined;
  return { kind: entry.driver.kind, options, ...(common.to === undefined ? {} : { to: common.to }) };
};

/** The probe: a URL, or an http check with more to say. */
export const readProbe = (reading: Reading, path: JsonPath): CheckDeclaration | undefined => {
  const node = nodeAt(reading.root, path);
  const driver = reading.registry.checks.get("http");
  if (node === undefined) return undefined;
  if (driver === undefined) {
    reading.atKey(path, {
      code: "config.unsupported",
      message: "a probe is not supported by this build",
      hint: "it has no http check",
    });
    return undefined;
  }
  if (typeof node.value === "string") {
    if (!/^(https?:\/\/|\$\{)/.test(node.value)) {
      reading.atValue(path, {
        code: "config.bad-value",
        message: `${subjectText(path)} cannot be "${node.value}"`,
        hint: "it is the URL that users open: http://127.0.0.1:8080/health",
      });
      return undefined;
    }
    const options = readOptions(reading, path, driver, { http: node.value }, []);
    return options === undefined ? undefined : { kind: "http", options, timeoutMs: defaultCheckTimeoutMs };
  }
  const otherKind = [...node.entries.keys()].find((key) => key !== "http" && reading.registry.checks.has(key));
  if (otherKind !== undefined) {
    reading.atKey([...path, otherKind], {
      code: "config.unknown-kind",
      message: `${subjectText(path)} is not asked by ${otherKind}`,
      hint: "a probe asks as users do: http: URL; other checks stand in a component",
    });
    return undefined;
  }
  return readCheck(reading, path);
};

const readEntry = (
  reading: Reading,
  path: JsonPath,
  words: EntryWords,
): { readonly driver: KindDriver; readonly value: JsonObject } | undefined => {
  const node = nodeAt(reading.root, path);
  const kinds = [...words.drivers.keys()];
  const example = `- ${kinds[0] ?? "kind"}: ...`;
  if (node === undefined || node.value === null || typeof node.value !== "object" || Array.isArray(node.value)) {
    const looksLikeUrl =
      typeof node?.value === "string" && /^https?:\/\//.test(node.value) && words.drivers.has("http");
    reading.atValue(path, {
      code: "config.wrong-type",
      message: `${subjectText(path)} does not say what kind of ${words.noun} it is`,
      hint: looksLikeUrl ? `write - http: ${node.value}` : `it starts with its kind: ${example}`,
    });
    return undefined;
  }
  const value = node.value as JsonObject;
  const found = Object.keys(value).filter((key) => words.drivers.has(key));
  const [kind, second] = found;
  if (second !== undefined) {
    reading.atKey([...path, second], {
      code: "config.unknown-kind",
      message: `${subjectText(path)} is of two kinds: ${found.join(", ")}`,
      hint: words.apart,
    });
    return undefined;
  }
  const driver = kind === undefined ? undefined : words.drivers.get(kind);
  if (driver !== undefined) return { driver, value };
  reportNoKind(reading, path, words, Object.keys(value));
  return undefined;
};

const reportNoKind = (reading: Reading, path: JsonPath, words: EntryWords, keys: readonly string[]): void => {
  const kinds = [...words.drivers.keys()];
  const unsupported = keys.find((key) => Object.hasOwn(words.unsupported, key));
  if (unsupported !== undefined) {
    reading.atKey([...path, unsupported], {
      code: "config.unsupported",
      message: `${words.noun} by ${unsupported} is not supported by this version`,
      hint: words.unsupported[unsupported] ?? "",
    });
    return;
  }
  const candidates = keys.filter((key) => !words.common.includes(key));
  const meant = candidates.find((key) => nearestWord(key, kinds) !== undefined) ?? candidates[0];
  if (meant === undefined) {
    reading.atValue(path, {
      code: "config.missing-key",
      message: `${subjectText(path)} does not say what kind of ${words.noun} it is`,
      hint: `kinds: ${kinds.join(", ")}`,
    });
    return;
  }
  reading.atKey([...path, meant], {
    code: "config.unknown-kind",
    message: `there is no ${words.noun} of kind "${meant}"`,
    hint: suggestWord(meant, kinds, `kinds: ${kinds.join(", ")}`),
  });
};

const readOptions = (
  reading: Reading,
  path: JsonPath,
  driver: KindDriver,
  value: JsonObject,
  alsoKnown: readonly string[],
): JsonObject | undefined =>
  readShape(driver.options, value, { reading, base: path, alsoKnown }) as JsonObject | undefined;
