/** Reads one entry of `provision:`: the keys that all have, those of its driver, its checks. References are looked at elsewhere. */
import type { ProvisionDeclaration } from "../../model/declaration.ts";
import { provisionFileSchema } from "../../model/declaration-file.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ProvisionDriver } from "../ports/provision.ts";
import { suggestWord } from "./nearest-word.ts";
import { readChecks } from "./read-component.ts";
import type { Reading } from "./reading.ts";
import { readShape, subjectText } from "./report-issues.ts";
import { keysAt, shapeOf } from "./schema-shape.ts";
import type { JsonPath } from "./template.ts";
import { unsupportedProvisionTypes } from "./unsupported-words.ts";
import { nodeAt } from "./yaml-source.ts";

const commonKeys = Object.keys(provisionFileSchema.shape);

export type ReadProvision = {
  /** As far as it could be read. */
  readonly draft: ProvisionDeclaration;
  /** Undefined when something is wrong. */
  readonly entry: ProvisionDeclaration | undefined;
};

export const readProvision = (reading: Reading, path: JsonPath, name: string): ReadProvision => {
  const node = nodeAt(reading.root, path);
  const value = node?.value;
  if (node === undefined || value === null || typeof value !== "object" || Array.isArray(value)) {
    reading.atValue(path, {
      code: value === null ? "config.empty" : "config.wrong-type",
      message: value === null ? `${subjectText(path)} is empty` : `${subjectText(path)} is not a mapping of keys`,
      hint: `it begins with its type: ${typesOf(reading).join(", ")}`,
    });
    return { draft: { name, type: "", checks: [], options: {} }, entry: undefined };
  }
  const keys = value as JsonObject;
  const own = pick(keys, (key) => !commonKeys.includes(key));
  const draft: ProvisionDeclaration = {
    name,
    type: typeof keys["type"] === "string" ? keys["type"] : "",
    ...(keys["temporary"] === true ? { temporary: true as const } : {}),
    checks: [],
    options: own,
  };
  const driver = readType(reading, path, keys["type"]);
  const common = readShape(
    provisionFileSchema,
    // A missing type has been reported with the types that exist.
    { ...pick(keys, (key) => commonKeys.includes(key)), type: draft.type },
    { reading, base: path },
  );
  const options =
    driver === undefined
      ? undefined
      : (readShape(driver.options, own, {
          reading,
          base: path,
          alsoKnown: commonKeys,
          aboutUnknownKey: (key) => aboutUnknownKey(reading, driver, key),
        }) as JsonObject | undefined);
  const checks = readChecks(reading, [...path, "checks"], node);
  if (driver === undefined || common === undefined || options === undefined || checks === undefined)
    return { draft, entry: undefined };
  const entry = {
    name,
    type: driver.type,
    ...(common.temporary === true ? { temporary: true as const } : {}),
    checks,
    options,
  };
  return { draft, entry };
};

const typesOf = (reading: Reading): readonly string[] => [...reading.registry.provisions.keys()];

const pick = (keys: JsonObject, which: (key: string) => boolean): JsonObject =>
  Object.fromEntries(Object.entries(keys).filter(([key]) => which(key)));

const readType = (reading: Reading, path: JsonPath, type: Json | undefined): ProvisionDriver | undefined => {
  const types = typesOf(reading);
  if (type === undefined || type === null) {
    reading.atKey(path, {
      code: "config.missing-key",
      message: `${subjectText(path)} has no "type", which it needs`,
      hint: `types: ${types.join(", ")}`,
    });
    return undefined;
  }
  if (typeof type !== "string") {
    reading.atValue([...path, "type"], {
      code: "config.wrong-type",
      message: `${subjectText([...path, "type"])} is not a word`,
      hint: `types: ${types.join(", ")}`,
    });
    return undefined;
  }
  const driver = reading.registry.provisions.get(type);
  if (driver !== undefined) return driver;
  const unsupported = Object.hasOwn(unsupportedProvisionTypes, type) ? unsupportedProvisionTypes[type] : undefined;
  reading.atValue(
    [...path, "type"],
    unsupported === undefined
      ? {
          code: "config.unknown-type",
          message: `nothing is provisioned by "${type}"`,
          hint: suggestWord(type, types, `types: ${types.join(", ")}`),
        }
      : {
          code: "config.unsupported",
          message: `provision by ${type} is not supported by this version`,
          hint: unsupported,
        },
  );
  return undefined;
};

const aboutUnknownKey = (reading: Reading, driver: ProvisionDriver, key: string): string | undefined => {
  const other = [...reading.registry.provisions.values()].find(
    ({ type, options }) => type !== driver.type && keysAt(shapeOf(options), []).includes(key),
  );
  const known = [...keysAt(shapeOf(driver.options), []), ...commonKeys.filter((common) => common !== "type")];
  return other === undefined
    ? undefined
    : `it is a key of type ${other.type}; ${driver.type} knows ${known.join(", ")}`;
};
