/**
 * Proves the audit log: every chain from its first entry to its last, what the chains say of each other, and the points that they tell
 * of. Pure: what was found in the vault comes in, findings go out, each with the first place that does not fit.
 */
import type { AuditReading } from "../ports/audit-log.ts";
import type { AuditEntry, AuditPlace } from "../../model/audit-entry.ts";
import { type ChainedEntry, followsBegin, readEntry } from "./audit-chain.ts";

export const auditFindingKinds = [
  "unreadable",
  "disordered",
  "altered",
  "missing",
  "cut-short",
  "forked",
  "point-gone",
  "point-unlogged",
] as const;
export type AuditFindingKind = (typeof auditFindingKinds)[number];

export type AuditFinding = {
  /** A warning is what a crash may leave; an error is what only damage or a person's hand leaves. */
  readonly severity: "error" | "warning";
  readonly kind: AuditFindingKind;
  readonly writer: string | null;
  /** The entry, or the first of those that are gone. */
  readonly sequence: number | null;
  readonly message: string;
};

export type AuditChain = {
  readonly writer: string;
  readonly host: string;
  readonly entries: number;
  /** The last entry that the proof reaches; whoever keeps it elsewhere can prove later that nothing before it was changed. */
  readonly head: AuditPlace | null;
};

export type AuditProof = {
  /** In the order of time; what is forked has both branches. */
  readonly entries: readonly AuditEntry[];
  readonly chains: readonly AuditChain[];
  readonly findings: readonly AuditFinding[];
};

type KnownPoints = {
  /** Ids of the points that are in the vault, readable or not. */
  readonly points: ReadonlySet<string>;
  /** Ids of those whose departure was recorded. */
  readonly departed: ReadonlySet<string>;
  readonly recorded: readonly { readonly id: string; readonly service: string; readonly finishedAt: string }[];
};

export const verifyAuditLog = (reading: AuditReading, known: KnownPoints): AuditProof => {
  const findings: AuditFinding[] = reading.unreadable.map(({ snapshot, reason }) => ({
    severity: "error",
    kind: "unreadable",
    writer: null,
    sequence: null,
    message: `a part of the log cannot be read (snapshot ${snapshot.slice(0, 8)}): ${reason}`,
  }));
  const chained = readAll(reading, findings);
  const chains = [...byWriter(chained)].map(([writer, entries]) => proveChain(writer, entries, findings));
  checkAnchors(chains, reading, findings);
  const entries = chained
    .map(({ entry }) => entry)
    .sort((a, b) => a.at.localeCompare(b.at) || a.writer.localeCompare(b.writer) || a.sequence - b.sequence);
  checkPoints(entries, known, findings);
  return { entries, chains: chains.map(({ chain }) => chain), findings };
};

const error = (
  kind: AuditFindingKind,
  writer: string | null,
  sequence: number | null,
  message: string,
): AuditFinding => ({ severity: "error", kind, writer, sequence, message });

const named = (writer: string, sequence: number): string => `entry ${sequence} of ${writer.slice(0, 8)}`;

/** Each entry once: a crash may have left it in the vault twice. */
const readAll = (reading: AuditReading, findings: AuditFinding[]): readonly ChainedEntry[] => {
  const found = new Map<string, ChainedEntry>();
  let before: { readonly snapshot: string | null; readonly entry: AuditEntry } | null = null;
  const told = new Set<string>();
  for (const { text, snapshot } of reading.entries) {
    const chained = readEntry(text);
    const where = snapshot === null ? "this machine" : `snapshot ${snapshot.slice(0, 8)}`;
    if (chained === null) {
      findings.push(
        error("altered", null, null, `what stands in ${where} is no entry of the log: ${text.slice(0, 60)}`),
      );
      continue;
    }
    const { entry } = chained;
    if (before !== null && snapshot !== null && before.snapshot === snapshot && !told.has(snapshot)) {
      const order = before.entry.writer.localeCompare(entry.writer) || before.entry.sequence - entry.sequence;
      if (order > 0) {
        told.add(snapshot);
        findings.push(
          error(
            "disordered",
            entry.writer,
            entry.sequence,
            `${where} does not hold its entries in their order: ${named(entry.writer, entry.sequence)} stands behind ${named(before.entry.writer, before.entry.sequence)}`,
          ),
        );
      }
    }
    before = { snapshot, entry };
    found.set(chained.hash, chained);
  }
  return [...found.values()];
};

const byWriter = (entries: readonly ChainedEntry[]): ReadonlyMap<string, readonly ChainedEntry[]> => {
  const chains = new Map<string, ChainedEntry[]>();
  for (const chained of entries) {
    const chain = chains.get(chained.entry.writer) ?? [];
    chain.push(chained);
    chains.set(chained.entry.writer, chain);
  }
  return chains;
};

type ProvenChain = { readonly chain: AuditChain; readonly hashes: ReadonlyMap<number, ReadonlySet<string>> };

const proveChain = (writer: string, entries: readonly ChainedEntry[], findings: AuditFinding[]): ProvenChain => {
  const bySequence = new Map<number, ChainedEntry[]>();
  for (const chained of entries)
    bySequence.set(chained.entry.sequence, [...(bySequence.get(chained.entry.sequence) ?? []), chained]);
  const hashes = new Map([...bySequence].map(([sequence, same]) => [sequence, new Set(same.map(({ hash }) => hash))]));
  const last = Math.max(...bySequence.keys());
  let head: AuditPlace | null = null;
  let whole = true;
  let forked = false;
  for (let sequence = 1; sequence <= last; sequence += 1) {
    const here = bySequence.get(sequence);
    if (here === undefined) {
      let to = sequence;
      while (!bySequence.has(to + 1)) to += 1;
      findings.push(
        error(
          "missing",
          writer,
          sequence,
          sequence === to
            ? `${named(writer, sequence)} is missing`
            : `entries ${sequence} to ${to} of ${writer.slice(0, 8)} are missing`,
        ),
      );
      whole = false;
      sequence = to;
      continue;
    }
    const before = hashes.get(sequence - 1);
    const fits = here.filter((chained) =>
      sequence === 1 ? followsBegin(chained) : (before?.has(chained.entry.previous) ?? true),
    );
    if (here.length > 1 && fits.length > 1) {
      // Behind a fork everything is there twice.
      if (!forked)
        findings.push(
          error(
            "forked",
            writer,
            sequence,
            `${named(writer, sequence)} exists ${here.length} times: two machines wrote with one state folder (a copy of it, or one put back from a backup)`,
          ),
        );
      forked = true;
      whole = false;
    } else if (fits.length < here.length) {
      const place = sequence === 1 ? "the begin of its chain" : named(writer, sequence - 1);
      findings.push(
        error(
          "altered",
          writer,
          Math.max(1, sequence - 1),
          `${named(writer, sequence)} does not follow ${place} as it stands: one of the two was altered or replaced`,
        ),
      );
      whole = false;
    }
    const [only] = here;
    if (whole && only !== undefined) head = { writer, sequence, hash: only.hash };
  }
  const host = entries.at(-1)?.entry.by.host ?? "";
  return { chain: { writer, host, entries: entries.length, head }, hashes };
};

/** Others remember how far a chain had come: without them its newest entries could go unnoticed. */
const checkAnchors = (chains: readonly ProvenChain[], reading: AuditReading, findings: AuditFinding[]): void => {
  const seen = reading.entries.flatMap(({ text }) => {
    const chained = readEntry(text);
    return chained === null
      ? []
      : Object.entries(chained.entry.seen).map(([writer, head]) => ({
          writer,
          ...head,
          knownBy: named(chained.entry.writer, chained.entry.sequence),
        }));
  });
  const told = new Set<string>();
  for (const anchor of [...reading.anchors, ...seen].sort((a, b) => b.sequence - a.sequence)) {
    const proven = chains.find(({ chain }) => chain.writer === anchor.writer);
    const there = proven?.hashes.get(anchor.sequence);
    if (there?.has(anchor.hash) === true) continue;
    const kind = there === undefined ? "cut-short" : "altered";
    const last = Math.max(0, ...(proven?.hashes.keys() ?? []));
    // What lies in the middle of a chain was told as missing.
    if (kind === "cut-short" && anchor.sequence < last) continue;
    if (told.has(`${kind} ${anchor.writer}`)) continue;
    told.add(`${kind} ${anchor.writer}`);
    findings.push(
      kind === "altered"
        ? error(
            kind,
            anchor.writer,
            anchor.sequence,
            `${named(anchor.writer, anchor.sequence)} is not the one that ${anchor.knownBy} knows`,
          )
        : error(
            kind,
            anchor.writer,
            last + 1,
            `the log of ${anchor.writer.slice(0, 8)} ends with entry ${last}, but ${anchor.knownBy} knows entry ${anchor.sequence}: what follows entry ${last} was removed`,
          ),
    );
  }
};

/** A point that was taken and never let go must be there; one that nobody took must not. */
const checkPoints = (entries: readonly AuditEntry[], known: KnownPoints, findings: AuditFinding[]): void => {
  const pointOf = ({ detail }: AuditEntry): readonly string[] => {
    const { point, points } = detail;
    return [...(typeof point === "string" ? [point] : []), ...(Array.isArray(points) ? points.map(String) : [])];
  };
  const letGo = new Set(entries.filter(({ action }) => action === "expire" || action === "prune").flatMap(pointOf));
  const taken = new Map<string, AuditEntry>();
  for (const entry of entries)
    if (entry.action === "capture") for (const id of pointOf(entry)) if (!taken.has(id)) taken.set(id, entry);
  for (const [id, entry] of taken) {
    if (known.points.has(id) || known.departed.has(id) || letGo.has(id)) continue;
    findings.push(
      error(
        "point-gone",
        entry.writer,
        entry.sequence,
        `point ${id.slice(0, 8)} of ${entry.service ?? "?"}, taken ${entry.at}, is not in the vault, and nothing says that it expired: it was removed by other means`,
      ),
    );
  }
  const began = entries[0]?.at;
  for (const { id, service, finishedAt } of known.recorded) {
    // Older than the log: a vault that was there before.
    if (began === undefined || finishedAt < began || taken.has(id)) continue;
    findings.push({
      severity: "warning",
      kind: "point-unlogged",
      writer: null,
      sequence: null,
      message: `point ${id.slice(0, 8)} of ${service} is in no entry of the log: its capture was killed before it could tell, or it was put there by other means`,
    });
  }
};
