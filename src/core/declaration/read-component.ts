/** Reads one component: the keys that all have, those of its driver, its checks. References are looked at elsewhere. */
import type { CheckDeclaration, ComponentDeclaration } from "../../model/declaration.ts";
import { componentFileSchema } from "../../model/declaration-file.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { ComponentDriver } from "../ports/driver.ts";
import { suggestWord } from "./nearest-word.ts";
import { readCheck } from "./read-entry.ts";
import type { Reading } from "./reading.ts";
import { readShape, reportUnknownKey, subjectText } from "./report-issues.ts";
import { keysAt, shapeOf } from "./schema-shape.ts";
import type { JsonPath } from "./template.ts";
import { unsupportedComponentKeys, unsupportedComponentTypes } from "./unsupported-words.ts";
import { type SourceNode, nodeAt } from "./yaml-source.ts";

const commonKeys = Object.keys(componentFileSchema.shape);

const serviceKeys = new Set([
  "objectives",
  "schedule",
  "keep",
  "lock",
  "probe",
  "invariants",
  "cutover",
  "owners",
  "criticality",
  "steps",
  "limits",
]);

export type ReadComponent = {
  /** As far as it could be read; `options` and `checks` as the file has them, for the checks of the service as a whole. */
  readonly draft: ComponentDeclaration;
  /** Undefined when something is wrong. */
  readonly component: ComponentDeclaration | undefined;
};

export const readComponent = (reading: Reading, path: JsonPath, name: string): ReadComponent => {
  const node = nodeAt(reading.root, path);
  const value = node?.value;
  if (
    node === undefined ||
    value === null ||
    value === undefined ||
    typeof value !== "object" ||
    Array.isArray(value)
  ) {
    const types = [...reading.registry.components.keys()];
    reading.atValue(path, {
      code: value === null ? "config.empty" : "config.wrong-type",
      message: value === null ? `${subjectText(path)} is empty` : `${subjectText(path)} is not a mapping of keys`,
      hint: `a component begins with its type: ${types.join(", ")}`,
    });
    return { draft: draftOf(name, "", {}), component: undefined };
  }
  const keys = value as JsonObject;
  const driver = readType(reading, path, keys["type"]);
  const own = Object.fromEntries(
    Object.entries(keys).filter(([key]) => !commonKeys.includes(key) && !isUnsupported(key, driver)),
  );
  for (const key of Object.keys(keys)) if (isUnsupported(key, driver)) reportUnsupportedKey(reading, path, key);
  const common = readCommon(reading, path, keys);
  const options = driver === undefined ? undefined : readOptions(reading, path, driver, own);
  const checks = readChecks(reading, [...path, "checks"], node);
  const draft = draftOf(name, typeof keys["type"] === "string" ? keys["type"] : "", keys, own);
  if (driver === undefined || common === undefined || options === undefined || checks === undefined)
    return { draft, component: undefined };
  const { dependsOn = [], uses = [], resources = [] } = common;
  const shared = resources.length === 0 ? {} : { resources };
  return { draft, component: { name, type: driver.type, dependsOn, uses, ...shared, checks, options } };
};

/** What can be told of a component without its being right. */
const draftOf = (name: string, type: string, keys: JsonObject, options: JsonObject = {}): ComponentDeclaration => ({
  name,
  type,
  dependsOn: textsOf(keys["dependsOn"]),
  uses: textsOf(keys["uses"]),
  resources: textsOf(keys["resources"]),
  checks: listOf(keys["checks"]).map((check) => ({ kind: "", options: { ...objectOf(check) }, timeoutMs: 1 })),
  options,
});

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : []);
/** Items that are no text are kept as empty names, so that the others keep their places. */
const textsOf = (value: Json | undefined): string[] =>
  listOf(value).map((item) => (typeof item === "string" ? item : ""));
const objectOf = (value: Json): JsonObject =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : {};

const isUnsupported = (key: string, driver: ComponentDriver | undefined): boolean =>
  Object.hasOwn(unsupportedComponentKeys, key) &&
  (driver === undefined || !keysAt(shapeOf(driver.options), []).includes(key));

const reportUnsupportedKey = (reading: Reading, path: JsonPath, key: string): void =>
  reading.atKey(
    [...path, key],
    {
      code: "config.unsupported",
      message: `${key} is not supported by this version`,
      hint: unsupportedComponentKeys[key] ?? "",
    },
    path,
  );

const readType = (reading: Reading, path: JsonPath, type: Json | undefined): ComponentDriver | undefined => {
  const types = [...reading.registry.components.keys()];
  if (type === undefined || type === null) {
    reading.atKey(path, {
      code: "config.missing-key",
      message: `${subjectText(path)} has no "type", which it needs`,
      hint: `types: ${types.join(", ")}`,
    });
    return undefined;
  }
  if (typeof type !== "string") return undefined;
  const driver = reading.registry.components.get(type);
  if (driver !== undefined) return driver;
  const unsupported = Object.hasOwn(unsupportedComponentTypes, type) ? unsupportedComponentTypes[type] : undefined;
  reading.atValue(
    [...path, "type"],
    unsupported === undefined
      ? {
          code: "config.unknown-type",
          message: `there is no component type "${type}"`,
          hint: suggestWord(typeAliases.get(type.toLowerCase()) ?? type, types, `types: ${types.join(", ")}`),
        }
      : {
          code: "config.unsupported",
          message: `components of type ${type} are not supported by this version`,
          hint: unsupported,
        },
  );
  return undefined;
};

/** What people call the technologies. */
const typeAliases = new Map<string, string>(
  Object.entries({
    postgresql: "postgres",
    pg: "postgres",
    psql: "postgres",
    database: "postgres",
    mysql: "mariadb",
    sqlite3: "sqlite",
    db3: "sqlite",
    app: "process",
    application: "process",
    service: "process",
    node: "process",
    systemd: "process",
    directory: "files",
    dir: "files",
    folder: "files",
    path: "files",
    volume: "files",
  }),
);

const readCommon = (reading: Reading, path: JsonPath, keys: JsonObject) => {
  const common = Object.fromEntries(Object.entries(keys).filter(([key]) => commonKeys.includes(key)));
  // A missing type has been reported with the types that exist.
  const value = common["type"] === undefined || common["type"] === null ? { ...common, type: "" } : common;
  return readShape(componentFileSchema, value, { reading, base: path });
};

const readOptions = (
  reading: Reading,
  path: JsonPath,
  driver: ComponentDriver,
  own: JsonObject,
): JsonObject | undefined => {
  const aboutUnknownKey = (key: string): string | undefined => {
    if (serviceKeys.has(key)) return "it belongs to the service, beside components:";
    const other = [...reading.registry.components.values()].find(
      ({ type, options }) => type !== driver.type && keysAt(shapeOf(options), []).includes(key),
    );
    const known = [...keysAt(shapeOf(driver.options), []), ...commonKeys.filter((common) => common !== "type")];
    return other === undefined
      ? undefined
      : `it is a key of type ${other.type}; ${driver.type} knows ${known.join(", ")}`;
  };
  const context = { reading, base: path, alsoKnown: commonKeys, aboutUnknownKey };
  const options = readShape(driver.options, own, context) as JsonObject | undefined;
  // A schema that is not strict would let a misspelt key through.
  const known = [...keysAt(shapeOf(driver.options), []), ...commonKeys];
  if (options === undefined || known.length === commonKeys.length) return options;
  const loose = Object.keys(own).filter((key) => !known.includes(key));
  for (const key of loose) reportUnknownKey(key, [], { ...context, schema: driver.options });
  return loose.length === 0 ? options : undefined;
};

/** Those of a component, or of an entry of `provision:`. */
export const readChecks = (reading: Reading, path: JsonPath, component: SourceNode): CheckDeclaration[] | undefined => {
  const items = component.entries.get("checks")?.node.items ?? [];
  const checks = items.map((_item, index) => readCheck(reading, [...path, index]));
  const whole = checks.filter((check) => check !== undefined);
  return whole.length === checks.length ? whole : undefined;
};
