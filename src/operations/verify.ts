/** verify: proves the vault's bytes and the chain of its points, and names what damage would hurt. */
import { audited } from "../core/audit/audited.ts";
import { missedPoints, withSeen } from "../core/points/seen-points.ts";
import { isHeld, joinedSpans } from "../core/logs/log-spans.ts";
import type { StoredLogPiece } from "../core/ports/vault-logs.ts";
import type { PointChain } from "../core/ports/vault-points.ts";
import type { VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { VerifyDepth, VerifyFinding, VerifyLimit, VerifyReport } from "../core/ports/vault-verification.ts";
import type { VaultNotes } from "../core/ports/vault-memory.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { type PointId, pointIdSchema, shortId } from "../model/identifiers.ts";
import type { LogSpan } from "../model/log-span.ts";
import type { RecoveryPoint } from "../model/manifest.ts";

export type VerifyRequest = {
  readonly depth: VerifyDepth;
  readonly limit: VerifyLimit;
  /** Points that are gone were removed on purpose: record that, so that they are missed no more. */
  readonly acceptGone: boolean;
};

export type HurtPoint = {
  readonly point: string;
  readonly service: string;
  readonly components: readonly string[];
  /** What is hurt in each: paths as the vault has them, and tables where the driver can tell. */
  readonly parts: readonly {
    readonly component: string;
    readonly files: readonly string[];
    readonly tables: readonly string[];
  }[];
};

export type VaultVerification = VerifyReport & {
  /** Points that need something that is damaged or missing. */
  readonly hurt: readonly HurtPoint[];
  /** Stretches of logs of which something is damaged or missing: no moment in them can be reached. */
  readonly hurtLogs: readonly LogSpan[];
  /** Points whose root was proven; made without one by an earlier version; made in another vault. */
  readonly roots: { readonly proven: number; readonly none: number; readonly foreign: number };
  /** Points that were there and are not, and whose departure nobody recorded. */
  readonly gone: readonly { readonly point: string; readonly service: string; readonly accepted: boolean }[];
};

export const verifyVault = (
  bench: Workbench,
  request: VerifyRequest,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<VaultVerification> =>
  audited(
    bench.audit,
    { action: "verify", service: null, detail: { depth: request.depth } },
    () => verify(bench, request, signal, progress),
    ({ findings, bytesRead, hurt, gone }) => {
      const errors = findings.filter(({ severity }) => severity === "error").length;
      const accepted = gone.filter((point) => point.accepted).map(({ point }) => point);
      return { detail: { errors, hurt: hurt.length, bytesRead, ...(accepted.length === 0 ? {} : { accepted }) } };
    },
  );

const verify = async (
  bench: Workbench,
  request: VerifyRequest,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<VaultVerification> => {
  const { repository, points: store, departures, logs } = await bench.vault();
  const memory = await bench.vaultMemory();
  const known = await memory.reads();
  const reads = new Map(known);
  const { depth, limit } = request;
  let report: VerifyReport;
  try {
    report = await repository.verify({ depth, limit, reads }, signal, progress);
  } finally {
    // What was read before an interruption need not be read again first.
    await memory.saveReads(known, reads);
  }
  const points = await store.list();
  const chain = await store.chain();
  const hurt = hurtPoints(bench, report, points);
  const gone = await goneOf(bench, chain, points, await memory.notes());
  if (request.acceptGone) {
    await departures.record(
      gone.map(({ point, service }) => ({ point, service, reason: "accepted as removed on purpose by a person" })),
    );
  }
  const chainFindings = [...brokenRoots(chain), ...(request.acceptGone ? [] : gone.map(({ finding }) => finding))];
  const findings = [...chainFindings, ...report.findings];
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const at = bench.clock.now().toISOString();
  await memory.note((before) => ({
    seen: request.acceptGone ? withoutAll(withSeen(before, points).seen, gone) : withSeen(before, points).seen,
    verification: { at, depth, errors, provenSince: report.coverage.provenSince },
    verified: verifiedPoints(before, report, points, hurt),
  }));
  const count = (status: string): number => chain.points.filter(({ verdict }) => verdict.status === status).length;
  return {
    ...report,
    findings,
    hurt,
    hurtLogs: hurtLogs(report, await logs.pieces()),
    roots: { proven: count("proven"), none: count("none"), foreign: count("foreign") },
    gone: gone.map(({ point, service }) => ({ point, service, accepted: request.acceptGone })),
  };
};

const hurtPoints = (bench: Workbench, report: VerifyReport, points: readonly RecoveryPoint[]): readonly HurtPoint[] => {
  const bySnapshot = Map.groupBy(
    report.findings.flatMap(({ affects }) => affects),
    ({ snapshot }) => snapshot,
  );
  return points.flatMap(({ id, manifest, missing }) => {
    const parts = Object.values(manifest.components).flatMap((captured) => {
      const paths = (bySnapshot.get(captured.snapshot) ?? []).map(({ path }) => path);
      if (paths.length === 0 && !missing.includes(captured.name)) return [];
      const tableAt = bench.registry.components.get(captured.driver)?.contents?.tableAt;
      const tables = paths.flatMap((path) => tableAt?.(captured, path) ?? []);
      return [{ component: captured.name, files: [...new Set(paths)], tables: [...new Set(tables)] }];
    });
    const components = parts.map(({ component }) => component);
    return parts.length === 0 ? [] : [{ point: id, service: manifest.service, components, parts }];
  });
};

/** A piece that is there twice is hurt only where both are. */
const hurtLogs = ({ findings }: VerifyReport, pieces: readonly StoredLogPiece[]): readonly LogSpan[] => {
  const affected = new Set<string>(findings.flatMap(({ affects }) => affects.map(({ snapshot }) => snapshot)));
  const sound = joinedSpans(pieces.filter(({ id }) => !affected.has(id)));
  return joinedSpans(pieces.filter((piece) => affected.has(piece.id) && !isHeld(piece, sound)));
};

const pointFinding = (point: string, message: string): VerifyFinding => ({
  severity: "error",
  message,
  object: { kind: "point", id: point },
  affects: [],
});

const brokenRoots = ({ points }: PointChain): readonly VerifyFinding[] =>
  points.flatMap(({ point, service, verdict }) =>
    verdict.status === "broken"
      ? [pointFinding(point, `the point ${shortId(point)} of ${service} is not what was committed: ${verdict.reason}`)]
      : [],
  );

type Gone = { readonly point: PointId; readonly service: string; readonly finding: VerifyFinding };

/** By the chain in the vault, and by what this machine has seen. */
const goneOf = async (
  bench: Workbench,
  chain: PointChain,
  points: readonly RecoveryPoint[],
  notes: VaultNotes,
): Promise<readonly Gone[]> => {
  const { points: store, departures } = await bench.vault();
  const named = chain.gone.map(({ point, service, namedBy }): Gone => {
    const message = `the point ${shortId(point)} of ${service} was there before ${shortId(namedBy)} and is gone`;
    return { point, service, finding: pointFinding(point, message) };
  });
  const unreadable = await store.unreadable();
  const known = new Set<string>([
    ...points.map(({ id }) => id),
    ...unreadable.map(({ id }) => id),
    ...named.map(({ point }) => point),
  ]);
  const missed = missedPoints(notes, (point) => known.has(point));
  if (missed.length === 0) return named;
  const departed = await departures.list();
  return [
    ...named,
    ...missed.flatMap(({ point: id, service, takenAt }): readonly Gone[] => {
      const point = pointIdSchema.parse(id);
      if (departed.has(point)) return [];
      const message =
        `the point ${shortId(point)} of ${service}, taken ${takenAt}, was seen by this machine and is gone: it was removed, or the ` +
        "vault was put back to an older state";
      return [{ point, service, finding: pointFinding(point, message) }];
    }),
  ];
};

const withoutAll = (seen: VaultNotes["seen"], gone: readonly Gone[]): VaultNotes["seen"] => {
  const left = new Set<string>(gone.map(({ point }) => point));
  return Object.fromEntries(Object.entries(seen).filter(([point]) => !left.has(point)));
};

/** Once all packs have been read, every point that is there now and not hurt is proven since the oldest of those reads. */
const verifiedPoints = (
  before: VaultNotes,
  { coverage }: VerifyReport,
  points: readonly RecoveryPoint[],
  hurt: readonly HurtPoint[],
): VaultNotes["verified"] => {
  const hurtIds = new Set(hurt.map(({ point }) => point));
  return Object.fromEntries(
    points.flatMap(({ id, missing }) => {
      const since = coverage.provenSince ?? before.verified[id];
      return since === undefined || hurtIds.has(id) || missing.length > 0 ? [] : [[id, since] as const];
    }),
  );
};
