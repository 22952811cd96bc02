/** What a verification of the vault found: how much was looked at, each fault with what it hurts, and the points that are no longer whole. */
import type { VerifyReport } from "../core/ports/vault-verification.ts";
import { formatAmount, formatBytes, formatList } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { LogSpan } from "../model/log-span.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type VerifyScreenData = VerifyReport & {
  readonly hurt: readonly {
    readonly point: string;
    readonly service: string;
    readonly components: readonly string[];
    readonly parts: readonly {
      readonly component: string;
      readonly files: readonly string[];
      readonly tables: readonly string[];
    }[];
  }[];
  readonly hurtLogs: readonly LogSpan[];
  readonly roots: { readonly proven: number; readonly none: number; readonly foreign: number };
  readonly gone: readonly { readonly point: string; readonly accepted: boolean }[];
};

/** @param isRepaired what could be mended was */
export const renderVerify = (report: VerifyScreenData, screen: Screen, isRepaired = false): string => {
  const errors = report.findings.filter(({ severity }) => severity === "error");
  const looked = `${formatAmount(report.snapshots, "snapshots")}, ${formatAmount(report.packs, "packs")}, ${formatAmount(report.blobs, "blobs")}`;
  const read = {
    "read-data": `every byte read (${formatBytes(report.bytesRead)})`,
    sample: `${formatBytes(report.bytesRead)} read`,
    structure: "structure only; --read-data proves the bytes",
  }[report.depth];
  const verdict =
    errors.length === 0
      ? screen.paint("green", "the vault is whole")
      : screen.paint("red", `THE VAULT IS DAMAGED: ${formatAmount(errors.length, "errors")}`);
  return lines(
    hanging("", `${verdict}  ${looked}; ${read}`, screen),
    report.findings.flatMap((finding) => describeFinding(finding, screen)),
    report.hurt.flatMap(({ point, service, components, parts }) => [
      `point ${shortId(point)} of ${service} cannot be recovered whole: ${formatList(components)} hurt`,
      ...parts.flatMap(({ component, files, tables }) =>
        tables.length + files.length === 0
          ? []
          : hanging(`  ${component}: `, formatList(tables.length > 0 ? tables : files), screen),
      ),
    ]),
    report.hurtLogs.flatMap(({ service, component, fromAt, toAt }) =>
      hanging(
        `log of ${service}/${component}  `,
        `damaged between ${fromAt} and ${toAt}: no moment in it can be reached, nor any after it from a point before it`,
        screen,
      ),
    ),
    describeReading(report, screen),
    describeCoverage(report),
    describeRoots(report),
    nextLine(screen, nextCommand(report, errors, isRepaired)),
  );
};

/** Of a part: how large it is, and what the whole would take. */
const describeReading = ({ depth, reading }: VerifyScreenData, screen: Screen): readonly string[] => {
  if (depth !== "sample" || reading === null) return [];
  const { packs, packsRead, bytes, bytesRead, durationMs, fullPassMs } = reading;
  const share = bytes === 0 ? 100 : (bytesRead / bytes) * 100;
  const percent = packsRead === packs ? "100" : share < 10 ? share.toFixed(1) : String(Math.min(99, Math.floor(share)));
  const read = `read ${percent} % of ${formatBytes(bytes)} in ${formatDuration(durationMs)}`;
  if (packsRead === packs) return [read];
  const rest = fullPassMs === null ? "" : `; at this rate all of it takes about ${formatDuration(fullPassMs)}`;
  return hanging("", `${read}, what was read longest ago first${rest}`, screen);
};

const describeCoverage = ({ coverage }: VerifyScreenData): string => {
  const { days, bytes, bytesRead } = coverage;
  const percent = bytes === 0 ? 100 : Math.floor((bytesRead / bytes) * 100);
  return `${percent} % read in the last ${days} days, from this machine`;
};

const describeRoots = ({ roots }: VerifyScreenData): readonly string[] => {
  const { proven, none, foreign } = roots;
  const parts = [
    `${formatAmount(proven, "points")} proven by ${proven === 1 ? "its root" : "their roots"}`,
    ...(none === 0 ? [] : [`${none} of an earlier version without one`]),
    ...(foreign === 0 ? [] : [`${foreign} made in another vault`]),
  ];
  return proven + none + foreign === 0 ? [] : [parts.join("; ")];
};

const describeFinding = (finding: VerifyReport["findings"][number], screen: Screen): readonly string[] => {
  const { severity, message, object, affects } = finding;
  const word = screen.paint(severity === "error" ? "red" : "yellow", severity);
  const places = formatList(affects.map(({ snapshot, path }) => `${path} in ${shortId(snapshot)}`));
  return [
    `${word} ${message} (${object.kind} ${object.id})`,
    ...(affects.length === 0 ? [] : hanging("  needed by ", places, screen)),
  ];
};

const mendedKinds: ReadonlySet<string> = new Set(["pack", "index", "blob"]);

/** Is all that is wrong that points are missed? No repair brings them back. */
export const isOnlyMissed = (errors: VerifyReport["findings"], gone: VerifyScreenData["gone"]): boolean => {
  const missed = new Set(gone.filter(({ accepted }) => !accepted).map(({ point }) => point));
  return errors.length > 0 && errors.every(({ object }) => object.kind === "point" && missed.has(object.id));
};

const nextCommand = (
  { depth, hurt, hurtLogs, gone }: VerifyScreenData,
  errors: VerifyReport["findings"],
  isRepaired: boolean,
): string => {
  // Before the repair a capture would count what the damaged packs are said to hold as stored.
  if (!isRepaired && errors.some(({ object }) => mendedKinds.has(object.kind)))
    return "refloat verify --read-data --repair";
  const [first] = [...hurt, ...hurtLogs];
  if (first !== undefined) return `refloat capture ${first.service}`;
  if (isOnlyMissed(errors, gone)) return "refloat verify --accept-gone";
  if (errors.length > 0) return "refloat verify --read-data";
  return depth === "read-data" ? "refloat status" : "refloat verify --read-data";
};
