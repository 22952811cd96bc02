import { describe, expect, it } from "vitest";
import type { AuditEntry, AuditHead } from "../../model/audit-entry.ts";
import type { AuditReading, StoredAuditEntry } from "../ports/audit-log.ts";
import { type ChainedEntry, chainEntry } from "./audit-chain.ts";
import { verifyAuditLog } from "./verify-log.ts";

const ada = "00000000-0000-4000-8000-00000000000a";
const bob = "00000000-0000-4000-8000-00000000000b";

const event = (writer: string, minute: number, more: Partial<AuditEntry> = {}) => ({
  writer,
  at: `2026-11-22T16:${String(minute).padStart(2, "0")}:00.000Z`,
  by: { user: "root", host: writer === ada ? "ada" : "bob", tool: "0.1.0" },
  action: "verify",
  outcome: "done",
  ends: null,
  service: null,
  detail: {},
  seen: {},
  ...more,
});

const headOf = ({ entry, hash }: ChainedEntry): AuditHead => ({ sequence: entry.sequence, hash });

const chainOf = (writer: string, length: number, more: Partial<AuditEntry> = {}): ChainedEntry[] => {
  const chain: ChainedEntry[] = [];
  for (let n = 0; n < length; n += 1) {
    const last = chain.at(-1);
    chain.push(chainEntry(event(writer, n, more), last === undefined ? null : headOf(last)));
  }
  return chain;
};

const stored = (chain: readonly ChainedEntry[], snapshot: string | null = null): StoredAuditEntry[] =>
  chain.map(({ text }, at) => ({ text, snapshot: snapshot ?? String(at).padStart(64, "0") }));

const nothingKnown = { points: new Set<string>(), departed: new Set<string>(), recorded: [] };

const findingsOf = (entries: readonly StoredAuditEntry[], more: Partial<AuditReading> = {}) =>
  verifyAuditLog({ entries, unreadable: [], anchors: [], ...more }, nothingKnown).findings.map(
    ({ kind, writer, sequence }) => ({ kind, writer, sequence }),
  );

describe("the proof of the audit log", () => {
  it("holds for whole chains, whatever the order in which their entries are found", () => {
    const reading = {
      entries: stored([...chainOf(ada, 5), ...chainOf(bob, 3)].toReversed()),
      unreadable: [],
      anchors: [],
    };
    const { findings, chains, entries } = verifyAuditLog(reading, nothingKnown);
    expect(findings).toEqual([]);
    expect(chains.map(({ writer, head }) => [writer, head?.sequence])).toEqual([
      [bob, 3],
      [ada, 5],
    ]);
    expect(entries.map(({ writer, sequence }) => `${writer.slice(-1)}${sequence}`)).toEqual([
      "a1",
      "b1",
      "a2",
      "b2",
      "a3",
      "b3",
      "a4",
      "a5",
    ]);
  });

  it("takes an entry that a crash has left twice for one", () => {
    const chain = chainOf(ada, 3);
    expect(findingsOf([...stored(chain), ...stored(chain.slice(1, 2))])).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5])("names entry %d of six when it is altered", (sequence) => {
    const chain = chainOf(ada, 6);
    const entries = stored(chain).map((entry, at) =>
      at === sequence - 1 ? { ...entry, text: entry.text.replace('"root"', '"eve"') } : entry,
    );
    expect(findingsOf(entries)).toEqual([{ kind: "altered", writer: ada, sequence }]);
  });

  it.each([1, 2, 3, 4, 5])("names entry %d of six when it is taken out", (sequence) => {
    const entries = stored(chainOf(ada, 6)).filter((_entry, at) => at !== sequence - 1);
    expect(findingsOf(entries)).toEqual([{ kind: "missing", writer: ada, sequence }]);
  });

  it("names the first of several that are gone, and goes on behind them", () => {
    const { findings, chains } = verifyAuditLog(
      { entries: stored(chainOf(ada, 9)).filter((_entry, at) => at < 2 || at > 4), unreadable: [], anchors: [] },
      nothingKnown,
    );
    expect(findings.map(({ message }) => message)).toEqual(["entries 3 to 5 of 00000000 are missing"]);
    expect(chains[0]?.head?.sequence).toBe(2);
  });

  it("names two entries whose places were exchanged", () => {
    const [first, second, third, fourth] = chainOf(ada, 4);
    const swapped = [first, third, second, fourth].flatMap((chained, at) =>
      chained === undefined
        ? []
        : [{ text: chained.text.replace(/"sequence":\d/, `"sequence":${at + 1}`), snapshot: "a" }],
    );
    expect(findingsOf(swapped)[0]).toEqual({ kind: "altered", writer: ada, sequence: 1 });
  });

  it("names a file of entries whose lines were put elsewhere", () => {
    const [first, second, third] = stored(chainOf(ada, 3), "f".repeat(64));
    if (first === undefined || second === undefined || third === undefined) throw new Error("three entries");
    expect(findingsOf([first, third, second])).toEqual([{ kind: "disordered", writer: ada, sequence: 2 }]);
  });

  it("knows a log that is cut short by this machine, by a point, and by another chain", () => {
    const chain = chainOf(ada, 6);
    const last = chain[5];
    if (last === undefined) throw new Error("six entries");
    const cut = stored(chain.slice(0, 4));
    const anchor = { writer: ada, ...headOf(last), knownBy: "this machine" };
    expect(findingsOf(cut)).toEqual([]);
    expect(findingsOf(cut, { anchors: [anchor] })).toEqual([{ kind: "cut-short", writer: ada, sequence: 5 }]);
    const witness = stored(chainOf(bob, 1, { seen: { [ada]: headOf(last) } }));
    expect(findingsOf([...cut, ...witness])).toEqual([{ kind: "cut-short", writer: ada, sequence: 5 }]);
    expect(findingsOf(witness)).toEqual([{ kind: "cut-short", writer: ada, sequence: 1 }]);
    expect(findingsOf([], { anchors: [anchor] })).toEqual([{ kind: "cut-short", writer: ada, sequence: 1 }]);
    expect(findingsOf([...stored(chain), ...witness], { anchors: [anchor] })).toEqual([]);
  });

  it("knows a chain that was written anew by who remembers the old one", () => {
    const last = chainOf(ada, 3)[2];
    if (last === undefined) throw new Error("three entries");
    const anew = stored(chainOf(ada, 3, { by: { user: "eve", host: "ada", tool: "0.1.0" } }));
    expect(findingsOf(anew)).toEqual([]);
    expect(findingsOf(anew, { anchors: [{ writer: ada, ...headOf(last), knownBy: "point 3c71e0aa" }] })).toEqual([
      { kind: "altered", writer: ada, sequence: 3 },
    ]);
  });

  it("tells a fork where it begins, and once", () => {
    const chain = chainOf(ada, 2);
    const [, second] = chain;
    if (second === undefined) throw new Error("two entries");
    const left = chainEntry(event(ada, 3), headOf(second));
    const right = chainEntry(event(ada, 4), headOf(second));
    const further = [chainEntry(event(ada, 5), headOf(left)), chainEntry(event(ada, 6), headOf(right))];
    expect(findingsOf(stored([...chain, left, right, ...further]))).toEqual([
      { kind: "forked", writer: ada, sequence: 3 },
    ]);
  });

  it("names what is no entry, and parts that cannot be read", () => {
    const [entry] = stored(chainOf(ada, 1));
    if (entry === undefined) throw new Error("one entry");
    // The same entry in another spelling would have another hash.
    const spaced = { ...entry, text: entry.text.replace('{"action"', '{ "action"') };
    expect(findingsOf([spaced])).toEqual([{ kind: "altered", writer: null, sequence: null }]);
    expect(findingsOf([], { unreadable: [{ snapshot: "a".repeat(64), reason: "rotten" }] })).toEqual([
      { kind: "unreadable", writer: null, sequence: null },
    ]);
  });

  it("misses a point that was removed by other means, and no point that expired", () => {
    const point = "3c".repeat(32);
    const taken = chainOf(ada, 1, { action: "capture", service: "shop", detail: { point } });
    const [first] = taken;
    if (first === undefined) throw new Error("one entry");
    const kinds = (entries: readonly ChainedEntry[], points: readonly string[]) =>
      verifyAuditLog(
        { entries: stored(entries), unreadable: [], anchors: [] },
        {
          points: new Set(points),
          departed: new Set(),
          recorded: points.map((id) => ({ id, service: "shop", finishedAt: "2026-11-22T17:00:00Z" })),
        },
      ).findings.map(({ kind, severity }) => `${severity} ${kind}`);
    expect(kinds(taken, [point])).toEqual([]);
    expect(kinds(taken, [])).toEqual(["error point-gone"]);
    const expired = chainEntry(event(ada, 9, { action: "expire", detail: { points: [point] } }), headOf(first));
    expect(kinds([first, expired], [])).toEqual([]);
    expect(kinds(taken, [point, "ab".repeat(32)])).toEqual(["warning point-unlogged"]);
  });
});
