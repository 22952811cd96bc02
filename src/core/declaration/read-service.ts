/** Reads one service: its own keys, its components, probe and cutover, then what must hold between them. */
import type {
  CheckDeclaration,
  ComponentDeclaration,
  FenceDeclaration,
  ManualDeclaration,
  ProvisionDeclaration,
  ServiceDeclaration,
} from "../../model/declaration.ts";
import { serviceFileSchema } from "../../model/declaration-file.ts";
import type { JsonObject } from "../../model/json.ts";
import { checkQuiesce } from "./check-quiesce.ts";
import { checkReferences } from "./check-references.ts";
import { checkRelations } from "./check-relations.ts";
import { checkSecrets } from "./check-secrets.ts";
import { checkStepRules } from "./check-step-rules.ts";
import { slugOf } from "../text/slug.ts";
import { parseDuration } from "../time/duration.ts";
import { readComponent } from "./read-component.ts";
import { readProvision } from "./read-provision.ts";
import { readCutover, readProbe } from "./read-entry.ts";
import { type InvariantsInFile, readInvariants } from "./read-invariant.ts";
import type { Reading } from "./reading.ts";
import { readShape, subjectText } from "./report-issues.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { readSchedule } from "./schedule.ts";
import type { JsonPath } from "./template.ts";
import { unsupportedServiceKeys } from "./unsupported-words.ts";
import { type SourceNode, nodeAt } from "./yaml-source.ts";

/** @returns undefined when something is wrong; then it has been reported */
export const readService = (reading: Reading, path: JsonPath, name: string): ServiceDeclaration | undefined => {
  const node = nodeAt(reading.root, path);
  if (node === undefined || node.value === null || typeof node.value !== "object" || Array.isArray(node.value)) {
    reading.atValue(path, {
      code: node?.value === null ? "config.empty" : "config.wrong-type",
      message: node?.value === null ? `${subjectText(path)} is empty` : `${subjectText(path)} is not a mapping of keys`,
      hint: "a service has at least components:",
    });
    return undefined;
  }
  const keys = node.value as JsonObject;
  const common = readCommon(reading, path, keys);
  const read = [...(node.entries.get("components")?.node.entries.keys() ?? [])].map((component) =>
    readComponent(reading, [...path, "components", component], component),
  );
  const declared = invariantsInFile(keys);
  const invariants = readInvariants(reading, [...path, "invariants"], declared);
  const provisioned = [...(node.entries.get("provision")?.node.entries.keys() ?? [])].map((entry) =>
    readProvision(reading, [...path, "provision", entry], entry),
  );
  const draft: ServiceDraft = {
    name,
    provision: Object.fromEntries(provisioned.map((one) => [one.draft.name, one.draft])),
    components: Object.fromEntries(read.map((one) => [one.draft.name, one.draft])),
    invariants: declared as ServiceDraft["invariants"],
  };
  const hasSubject = refuseNothingAtAll(reading, path, node, common?.manual ?? []);
  refuseEmptyComponents(reading, path);
  const probe = readProbe(reading, [...path, "probe"]);
  const cutover = readEach(node.entries.get("cutover")?.node.items.length ?? 0, (index) =>
    readCutover(reading, [...path, "cutover", index]),
  );
  const schedule = checkSchedule(reading, [...path, "schedule"]);
  const objectives =
    common?.objectives === undefined || checkObjectives(reading, [...path, "objectives"], common.objectives);
  const quiesce = checkQuiesce(reading, [...path, "quiesce"], draft, common?.quiesce);
  checkSecrets(reading, path, draft);
  checkReferences(reading, path, draft);
  checkRelations(reading, path, draft);
  const manual = checkStepNames(reading, [...path, "manual"], common?.manual ?? []);
  const fence = checkStepNames(reading, [...path, "fence"], common?.fence ?? []);
  const steps = checkStepRules(reading, path, draft, common ?? {});
  tellNotEnforced(reading, path);
  const components = read.flatMap(({ component }) => (component === undefined ? [] : [component]));
  const provision = provisioned.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  const whole =
    components.length === read.length &&
    provision.length === provisioned.length &&
    (probe !== undefined || !Object.hasOwn(keys, "probe"));
  if (
    common === undefined ||
    invariants === undefined ||
    cutover === undefined ||
    !schedule ||
    !objectives ||
    !quiesce ||
    !manual ||
    !fence ||
    !steps ||
    !hasSubject ||
    !whole
  )
    return undefined;
  return serviceOf(name, { ...common, invariants }, { provision, components, probe, cutover });
};

type CommonKeys = Omit<NonNullable<ReturnType<typeof readCommon>>, "invariants"> &
  Pick<ServiceDeclaration, "invariants">;

const serviceOf = (
  name: string,
  common: CommonKeys,
  {
    provision,
    components,
    probe,
    cutover,
  }: {
    readonly provision: readonly ProvisionDeclaration[];
    readonly components: readonly ComponentDeclaration[];
    readonly probe: CheckDeclaration | undefined;
    readonly cutover: ServiceDeclaration["cutover"];
  },
): ServiceDeclaration => {
  const { description, criticality, schedule, keep, lock, quiesce, fence, approve, manual, steps, limits } = common;
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(criticality === undefined ? {} : { criticality }),
    owners: common.owners ?? [],
    objectives: common.objectives ?? {},
    ...(schedule === undefined ? {} : { schedule }),
    ...(keep === undefined ? {} : { keep }),
    ...(lock === undefined ? {} : { lock: typeof lock === "string" ? { for: lock } : lock }),
    ...(quiesce === undefined ? {} : { quiesce }),
    ...(probe === undefined ? {} : { probe }),
    ...(provision.length === 0 ? {} : { provision: Object.fromEntries(provision.map((entry) => [entry.name, entry])) }),
    components: Object.fromEntries(components.map((component) => [component.name, component])),
    invariants: common.invariants,
    cutover,
    ...(fence === undefined || fence.length === 0 ? {} : { fence }),
    ...(approve === undefined ? {} : { approve }),
    ...(manual === undefined || manual.length === 0 ? {} : { manual }),
    ...(steps === undefined ? {} : { steps }),
    ...(limits === undefined ? {} : { limits }),
  };
};

const readCommon = (reading: Reading, path: JsonPath, keys: JsonObject) => {
  const unsupported = Object.keys(keys).filter((key) => Object.hasOwn(unsupportedServiceKeys, key));
  for (const key of unsupported)
    reading.atKey(
      [...path, key],
      {
        code: "config.unsupported",
        message: `${key} is not supported by this version`,
        hint: unsupportedServiceKeys[key] ?? "",
      },
      path,
    );
  const known = Object.fromEntries(Object.entries(keys).filter(([key]) => !unsupported.includes(key)));
  return readShape(serviceFileSchema, known, { reading, base: path, aboutUnknownKey: aboutServiceKey });
};

const aboutServiceKey = (key: string): string | undefined => {
  if (/^(rto|rpo|mtd)$/i.test(key)) return `write it below objectives: { ${key.toLowerCase()}: 15m }`;
  if (key === "checks") return "checks stand in a component; a service as a whole has a probe:";
  if (["type", "url", "path", "start", "environment", "dependsOn"].includes(key))
    return "it belongs to a component, below components:";
  return undefined;
};

/** A service is made of components, or is a runbook that people follow. */
const refuseNothingAtAll = (
  reading: Reading,
  path: JsonPath,
  node: SourceNode,
  manual: readonly ManualDeclaration[],
): boolean => {
  if (node.entries.has("components") || manual.length > 0) return true;
  reading.atKey(path, {
    code: "config.missing-key",
    message: `${subjectText(path)} has no "components", which it needs`,
    hint: "components: what the service is made of, by name; or manual: the steps that people do, of what is not automated yet",
  });
  return false;
};

const refuseEmptyComponents = (reading: Reading, path: JsonPath): void => {
  const components = nodeAt(reading.root, [...path, "components"]);
  if (components === undefined || components.value === null || components.entries.size > 0) return;
  if (typeof components.value !== "object" || Array.isArray(components.value)) return;
  const types = [...reading.registry.components.keys()];
  reading.atKey([...path, "components"], {
    code: "config.empty",
    message: `${subjectText([...path, "components"])} is empty`,
    hint: `a service has at least one component; types: ${types.join(", ")}`,
  });
};

/** Invariants that name one component on each side; others have been reported by the schema. */
const invariantsInFile = (keys: JsonObject): InvariantsInFile => {
  const result = serviceFileSchema.shape.invariants.safeParse(keys["invariants"]);
  return result.success ? (result.data ?? {}) : {};
};

const readEach = <Item>(count: number, read: (index: number) => Item | undefined): Item[] | undefined => {
  const items = Array.from({ length: count }, (_none, index) => read(index));
  const whole = items.filter((item) => item !== undefined);
  return whole.length === count ? whole : undefined;
};

const checkSchedule = (reading: Reading, path: JsonPath): boolean => {
  const text = nodeAt(reading.root, path)?.value;
  if (typeof text !== "string") return true;
  const schedule = readSchedule(text);
  if (schedule.kind !== "unreadable") return true;
  reading.atValue(path, {
    code: "config.bad-value",
    message: `${subjectText(path)} cannot be "${text}"${schedule.why === undefined ? "" : `: ${schedule.why}`}`,
    hint: schedule.hint,
  });
  return false;
};

/** A service that may be away for longer than the business survives has one of the two written wrong. */
const checkObjectives = (reading: Reading, path: JsonPath, { rto, mtd }: ServiceDeclaration["objectives"]): boolean => {
  if (rto === undefined || mtd === undefined) return true;
  const [rtoMs, mtdMs] = [parseDuration(rto), parseDuration(mtd)];
  if (rtoMs === undefined || mtdMs === undefined || mtdMs >= rtoMs) return true;
  reading.atValue([...path, "mtd"], {
    code: "config.bad-value",
    message: `${subjectText([...path, "mtd"])} is ${mtd}, below the rto of ${rto}`,
    hint: `after mtd the harm is lasting, so the service has to be back before: rto: ${mtd}, or a longer mtd`,
  });
  return false;
};

/** A step is named by its words on the command line: two of the same words could not be told apart. */
const checkStepNames = (
  reading: Reading,
  path: JsonPath,
  steps: readonly Pick<ManualDeclaration | FenceDeclaration, "name">[],
): boolean => {
  const seen = new Set<string>();
  let whole = true;
  for (const [index, { name }] of steps.entries()) {
    const slug = slugOf(name);
    if (seen.has(slug)) {
      whole = false;
      reading.atValue([...path, index, "name"], {
        code: "config.bad-value",
        message: `${subjectText([...path, index, "name"])} is that of another ${path.at(-1) === "fence" ? "fence" : "manual step"}: both are called ${slug}`,
        hint: "a name is typed to say that the step is done: give each its own",
      });
    }
    seen.add(slug);
  }
  return whole;
};

const tellNotEnforced = (reading: Reading, path: JsonPath): void => {
  const url = nodeAt(reading.root, ["vault", "url"])?.value;
  if (typeof url !== "string" || /^s3:/i.test(url) || nodeAt(reading.root, [...path, "lock"]) === undefined) return;
  const overSftp = /^sftp:/i.test(url);
  reading.atKey([...path, "lock"], {
    code: "config.not-enforced",
    severity: "warning",
    message: overSftp
      ? "lock is recorded with each point, and a vault over SFTP cannot enforce it"
      : "a vault in a folder keeps locks against everybody but root, and only if root captures",
    hint: `${overSftp ? "whoever may write to it can delete points; " : ""}a bucket with Object Lock keeps locks; refloat vault locks shows what holds`,
  });
};
