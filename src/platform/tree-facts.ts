/** Facts of a captured tree, and a restored tree held against them: counts, bytes, newest file, layout. Content is verified by the vault. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { TreeReceipt } from "../core/ports/vault-snapshots.ts";
import type { Facts } from "../model/facts.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import type { Clock } from "../core/ports/environment.ts";
import { type TreeCount, type WalkRules, countTree, walkTree } from "./tree-walk.ts";

const namesShown = 5;

const unsteadyWords = {
  vanished: "entries vanished before they could be read",
  changed: "entries changed while they were read",
  "read-anew":
    "folders were read anew with all below, since what an earlier point holds of them cannot be read (`refloat verify` tells what is hurt)",
} as const satisfies Record<TreeReceipt["unsteady"][number]["reason"], string>;

/** What a person should know of entries that moved under the walk, and of folders of which no earlier state could be read. */
export const unsteadyWarnings = (receipt: TreeReceipt): string[] =>
  Object.entries(unsteadyWords).flatMap(([reason, words]) => {
    const paths = receipt.unsteady.filter((entry) => entry.reason === reason).map(({ path }) => path);
    if (paths.length === 0) return [];
    const more = paths.length > namesShown ? ` and ${paths.length - namesShown} more` : "";
    return [`${paths.length} ${words}: ${paths.slice(0, namesShown).join(", ")}${more}`];
  });

/**
 * Sockets are captured but never restored: the program that listens makes them. So they are left out of what a restore is held
 * against. A tree with nothing but files and folders is not walked for them.
 */
export const countSockets = async (root: string, receipt: TreeReceipt, rules: WalkRules): Promise<number> => {
  if (receipt.others === 0) return 0;
  let sockets = 0;
  for await (const { stats } of walkTree(root, rules)) if (stats.isSocket()) sockets++;
  return Math.min(sockets, receipt.others);
};

export const treeFacts = (
  receipt: TreeReceipt,
  more: { readonly link: string | null; readonly sockets: number } & Partial<
    Pick<Facts, "position" | "versions" | "schemaHash">
  >,
): Facts => {
  const { link, sockets, position, versions, schemaHash } = more;
  return {
    sizeBytes: receipt.sizeBytes,
    counts: { files: receipt.files, directories: receipt.directories, others: receipt.others - sockets },
    units: { files: { rows: receipt.files, sizeBytes: receipt.sizeBytes } },
    ...(position === undefined ? {} : { position }),
    ...(schemaHash === undefined ? {} : { schemaHash }),
    versions: versions ?? {},
    detail: {
      newestAt: receipt.newestAt,
      ...(link === null ? {} : { link }),
      ...(sockets === 0 ? {} : { sockets }),
    },
  };
};

/** Name of the release that was behind a captured link, else of the path itself. */
export const capturedLabel = (stable: string, facts: Facts): string => {
  const { link } = facts.detail;
  return basename(typeof link === "string" ? link : stable);
};

/** SHA-256 over names, kinds, rights and sizes in the order of the walk: cheap, and differs when a file is missing or of another length. */
export const hashLayout = async (root: string, rules: WalkRules): Promise<string> => {
  const hash = createHash("sha256");
  for await (const { path, stats } of walkTree(root, rules)) {
    if (stats.isSocket()) continue;
    const size = stats.isFile() ? stats.size : 0;
    hash.update(path).update(`\0${(stats.mode & 0o170777).toString(8)} ${size}\n`);
  }
  return hash.digest("hex");
};

const grouped = (value: number): string => value.toLocaleString("en-US");

/** `1 file`, `5,012 files`. */
export const countOf = (value: number, noun: string): string => `${grouped(value)} ${noun}${value === 1 ? "" : "s"}`;

const differences = (
  found: TreeCount,
  facts: Facts,
): readonly { readonly subject: string; readonly said: string }[] => {
  const expected: Readonly<Record<string, number>> = { ...facts.counts, bytes: facts.sizeBytes };
  const actual: Readonly<Record<string, number>> = {
    files: found.files,
    directories: found.directories,
    others: found.others,
    bytes: found.sizeBytes,
  };
  const counts = Object.entries(actual).flatMap(([unit, value]) =>
    expected[unit] === undefined || expected[unit] === value
      ? []
      : [{ subject: unit, said: `${grouped(value)} ${unit}, captured ${grouped(expected[unit])}` }],
  );
  const { newestAt } = facts.detail;
  if (typeof newestAt !== "string") return counts;
  // Both sides may round a fraction of a millisecond their own way.
  const isSame = found.newestMs !== null && Math.abs(found.newestMs - Date.parse(newestAt)) <= 1;
  if (isSame) return counts;
  const newest = found.newestMs === null ? "no time" : new Date(found.newestMs).toISOString();
  return [...counts, { subject: "newest file", said: `newest is of ${newest}, captured ${newestAt}` }];
};

/** One outcome for each difference, or one that passed. */
export const compareTreeWithFacts = async (
  context: { readonly component: string; readonly clock: Clock; readonly signal: AbortSignal },
  path: string,
  facts: Facts,
): Promise<readonly CheckOutcome[]> => {
  const began = context.clock.monotonicMs();
  const unreadable: string[] = [];
  const rules: WalkRules = {
    exclude: [],
    oneFileSystem: false,
    signal: context.signal,
    unreadable: (entry, code) => unreadable.push(`${entry.toString()} (${code})`),
  };
  const found = await countTree(path, rules);
  const wrong = [...differences(found, facts)];
  if (facts.schemaHash !== undefined && (await hashLayout(path, rules)) !== facts.schemaHash)
    wrong.push({ subject: "layout", said: "names, rights or sizes differ from the captured ones" });
  if (unreadable.length > 0)
    wrong.push({ subject: "readable", said: `cannot be read: ${unreadable.slice(0, namesShown).join(", ")}` });
  const outcome = (subject: string, status: CheckOutcome["status"], said: string): CheckOutcome => ({
    subject,
    kind: "facts",
    component: context.component,
    status,
    found: said,
    durationMs: context.clock.monotonicMs() - began,
  });
  if (wrong.length > 0) return wrong.map(({ subject, said }) => outcome(`facts: ${subject}`, "failed", said));
  return [
    outcome("facts", "passed", `${countOf(found.files, "file")}, ${countOf(found.sizeBytes, "byte")}, as captured`),
  ];
};
