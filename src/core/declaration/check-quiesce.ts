/** What must hold of `quiesce:` beyond its form: one way of holding the service, for some time, by what there is. */
import type { QuiesceDeclaration } from "../../model/declaration.ts";
import { parseDuration } from "../time/duration.ts";
import { nearestWord } from "./nearest-word.ts";
import type { Reading } from "./reading.ts";
import { subjectText } from "./report-issues.ts";
import type { ServiceDraft } from "./service-draft.ts";
import type { JsonPath } from "./template.ts";
import { nodeAt } from "./yaml-source.ts";

const ofLines = ["freeze", "thaw", "environment"] as const;

/** @param quiesce undefined where the schema has reported it already @returns whether nothing was reported */
export const checkQuiesce = (
  reading: Reading,
  path: JsonPath,
  draft: ServiceDraft,
  quiesce: QuiesceDeclaration | undefined,
): boolean => {
  const value = nodeAt(reading.root, path)?.value;
  if (value === undefined || value === null || typeof value !== "object" || Array.isArray(value)) return true;
  const isOneWay = checkWay(reading, path, Object.keys(value));
  if (quiesce === undefined) return isOneWay;
  const isPossible = [checkTime(reading, path, quiesce), checkLock(reading, path, draft, quiesce)].every(Boolean);
  return isOneWay && isPossible;
};

/** Each alone says how a service is held; without one of them it is by the two lines. */
const ways = ["lock", "filesystem"] as const;

const checkWay = (reading: Reading, path: JsonPath, keys: readonly string[]): boolean => {
  const way = ways.find((key) => keys.includes(key));
  if (way !== undefined) {
    const beside = [...ways, ...ofLines].filter((key) => key !== way && keys.includes(key));
    for (const key of beside) {
      reading.atKey([...path, key], {
        code: "config.bad-value",
        message: `${subjectText([...path, key])} stands beside ${way}, and a service is held in one way`,
        hint: "leave all but one out: lock:, filesystem:, or freeze: and thaw: with their environment:",
      });
    }
    return beside.length === 0;
  }
  const missing = (["freeze", "thaw"] as const).filter((key) => !keys.includes(key));
  for (const key of missing) {
    reading.atKey(path, {
      code: "config.missing-key",
      message: `${subjectText(path)} has no "${key}", which it needs`,
      hint: "both lines, freeze: and thaw:; or lock: or filesystem: alone",
    });
  }
  return missing.length === 0;
};

/** A service that may be held for no time at all is never quiesced. */
const checkTime = (reading: Reading, path: JsonPath, { atMost }: QuiesceDeclaration): boolean => {
  if (atMost === undefined || (parseDuration(atMost) ?? 0) > 0) return true;
  reading.atValue([...path, "atMost"], {
    code: "config.bad-value",
    message: `${subjectText([...path, "atMost"])} cannot be "${atMost}"`,
    hint: "nothing is read in no time; leave it out for 30s",
  });
  return false;
};

const checkLock = (
  reading: Reading,
  path: JsonPath,
  { components }: ServiceDraft,
  { lock }: QuiesceDeclaration,
): boolean => {
  if (lock === undefined) return true;
  const at = [...path, "lock", "in"];
  const found = components[lock.in];
  if (found === undefined) {
    const near = nearestWord(lock.in, Object.keys(components));
    reading.atValue(at, {
      code: "config.unknown-component",
      message: `${subjectText(at)} cannot be ${lock.in}: the service has no such component`,
      hint: near === undefined ? `it has ${Object.keys(components).join(", ")}` : `did you mean ${near}?`,
    });
    return false;
  }
  const driver = reading.registry.components.get(found.type ?? "");
  if (driver === undefined || driver.commitLock !== undefined) return true;
  const able = [...reading.registry.components.values()].filter((one) => one.commitLock !== undefined);
  reading.atValue(at, {
    code: "config.bad-value",
    message: `${subjectText(at)} cannot be ${lock.in}: a component of type ${found.type} keeps no lock that can be shared`,
    hint: `types that do: ${able.map(({ type }) => type).join(", ")}; or hold the service by freeze: and thaw:`,
  });
  return false;
};
