/** What a capture made: the point, each component's size and what it added, and everything that is not as it should be. */
import { formatAmount, formatBytes } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { PointManifest, RecoveryPoint } from "../model/manifest.ts";
import { formatTime, zoneName } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

/** @param warnings what was told while it was made */
export const renderCapture = ({ id, manifest }: RecoveryPoint, warnings: readonly string[], screen: Screen): string => {
  const { consistentAt, beganAt, finishedAt, service } = manifest;
  const members = manifest.captureOrder.flatMap((name) => manifest.components[name] ?? []);
  const newBytes = members.reduce((sum, member) => sum + member.newBytes, 0);
  const taken = `${formatTime(consistentAt, finishedAt, screen.timeZone)} ${zoneName(consistentAt, screen.timeZone)}`;
  const seconds = formatDuration(Date.parse(finishedAt) - Date.parse(beganAt));
  return lines(
    `${screen.paint("green", `point ${shortId(id)}`)} of ${service}, ${taken}, taken in ${seconds}; ${formatBytes(newBytes)} new in the vault`,
    members.length === 0
      ? `a runbook of ${formatAmount(manifest.declaration.manual?.length ?? 0, "manual steps")}, as they are declared`
      : renderTable(
          [
            { title: "COMPONENT" },
            { title: "SIZE", align: "right" },
            { title: "NEW", align: "right" },
            { title: "HOLDS", wraps: true },
          ],
          members.map(({ name, sizeBytes, newBytes: added, facts }) => [
            name,
            formatBytes(sizeBytes),
            formatBytes(added),
            Object.entries(facts.counts)
              .filter(([, count]) => count > 0)
              .map(([unit, count]) => formatAmount(count, unit))
              .join(", "),
          ]),
          screen,
        ),
    `Consistency ${describeConsistency(manifest)}`,
    hanging("Checked     ", describeChecks(manifest), screen),
    [...warnings, ...warningsOf(manifest)].flatMap((warning) => hanging("WARNING ", warning, screen)),
    nextLine(screen, `refloat plan ${service} --at ${shortId(id)}`),
  );
};

/** `ordered, within 1.2s, unproven`; `quiesced, held for 0.8s, proven` */
const describeConsistency = ({ consistency: { mode, windowMs, proven, frozen } }: PointManifest): string =>
  [
    mode,
    ...(frozen !== undefined
      ? [`held for ${formatDuration(frozen.heldMs)}`]
      : mode === "single"
        ? []
        : [`within ${formatDuration(windowMs)}`]),
    proven ? "proven" : "unproven",
  ].join(", ");

const describeChecks = ({ checks, invariants }: PointManifest): string => {
  const asked = [...checks, ...invariants];
  if (asked.length === 0) return "nothing: no check and no invariant is declared";
  const passed = asked.filter(({ status }) => status === "passed").length;
  return passed === asked.length
    ? `${formatAmount(checks.length, "checks")} and ${formatAmount(invariants.length, "invariants")} pass at the source`
    : `${passed} of ${asked.length} checks and invariants pass at the source`;
};

const warningsOf = (manifest: PointManifest): readonly string[] => [
  ...[...manifest.checks, ...manifest.invariants]
    .filter(({ status }) => status !== "passed")
    .map(({ subject, status, found }) => `${subject} ${status === "failed" ? "fails" : "was not asked"}: ${found}`),
  ...Object.values(manifest.components).flatMap(({ name, warnings }) =>
    warnings.map((warning) => `${name}: ${warning}`),
  ),
];
