/** Reads `notify:`: a list of targets, each of the kind that its first key says, with secrets from elsewhere and templates of known fields. */
import { type NotifyTarget, emailTargetSchema, webhookTargetSchema } from "../../model/notification.ts";
import { parseDuration } from "../time/duration.ts";
import { unknownFields } from "../notify/render-template.ts";
import { checkReferencesOutside } from "./check-references.ts";
import { checkSecretsOutside } from "./check-secrets.ts";
import type { Reading } from "./reading.ts";
import { readShape, subjectText } from "./report-issues.ts";
import type { JsonPath } from "./template.ts";
import { nodeAt } from "./yaml-source.ts";

const schemas = { webhook: webhookTargetSchema, email: emailTargetSchema } as const;

/** @param services that are declared @returns undefined when something is wrong with it */
export const readNotify = (reading: Reading, services: readonly string[]): readonly NotifyTarget[] | undefined => {
  const value = nodeAt(reading.root, ["notify"])?.value;
  if (value === undefined || value === null || !Array.isArray(value)) return [];
  checkSecretsOutside(reading, "notify");
  checkReferencesOutside(reading, "notify");
  const targets = value.map((entry: unknown, index) => readTarget(reading, ["notify", index], entry, services));
  const whole = targets.filter((target) => target !== undefined);
  return whole.length === targets.length ? whole : undefined;
};

const readTarget = (
  reading: Reading,
  path: JsonPath,
  entry: unknown,
  services: readonly string[],
): NotifyTarget | undefined => {
  const kinds = (["webhook", "email"] as const).filter(
    (kind) => entry !== null && typeof entry === "object" && Object.hasOwn(entry, kind),
  );
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    reading.atValue(path, {
      code: "config.bad-value",
      message: `${subjectText(path)} names ${kind === undefined ? "no kind of notification" : "two kinds of notification"}`,
      hint: "each begins with its kind: - webhook: https://..., or - email: [oncall@example.com]",
    });
    return undefined;
  }
  const target: NotifyTarget | undefined = readShape<NotifyTarget>(schemas[kind], entry, { reading, base: path });
  if (target === undefined) return undefined;
  checkTarget(reading, path, target, services);
  return target;
};

const checkTarget = (reading: Reading, path: JsonPath, target: NotifyTarget, services: readonly string[]): void => {
  const templates = Object.entries({
    template: target.template,
    subject: "subject" in target ? target.subject : undefined,
  });
  for (const [key, text] of templates) {
    const [unknown] = unknownFields(text ?? "");
    if (unknown === undefined) continue;
    reading.atValue([...path, key], {
      code: "config.bad-value",
      message: `${subjectText([...path, key])} cannot have {{${unknown}}}`,
      hint: "fields are event, at, service, host, title, message, next, run and state",
    });
  }
  if (target.timeout !== undefined && (parseDuration(target.timeout) ?? 0) === 0) {
    reading.atValue([...path, "timeout"], {
      code: "config.bad-value",
      message: `${subjectText([...path, "timeout"])} cannot be "${target.timeout}"`,
      hint: "nothing is delivered in no time; leave it out for 20s",
    });
  }
  for (const [index, service] of (target.services ?? []).entries()) {
    if (services.includes(service)) continue;
    reading.atValue([...path, "services", index], {
      code: "config.bad-value",
      message: `there is no service "${service}"`,
      hint: `services are ${services.join(", ")}`,
    });
  }
};
