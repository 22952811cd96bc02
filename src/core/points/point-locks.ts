/** What was promised for a point, held against what its store says. */
import type { LockMode, ServiceDeclaration } from "../../model/declaration.ts";
import type { PointManifest, RecoveryPoint } from "../../model/manifest.ts";
import type { LockReport, LockSupport, VaultLock } from "../ports/vault-locks.ts";
import type { Unreadable } from "../ports/vault-snapshots.ts";
import { parseDuration } from "../time/duration.ts";

export type PointLock = Omit<LockReport, "id"> & {
  readonly point: string;
  readonly service: string;
  /** When its data was consistent, ISO. */
  readonly at: string;
  /** What its declaration asked for; null without a lock. */
  readonly declared: { readonly until: string; readonly mode: LockMode } | null;
  /** True only if every file was found locked as long and as strictly as was asked for. */
  readonly kept: boolean;
};

export type VaultLocks = {
  readonly location: string;
  readonly support: LockSupport;
  readonly points: readonly PointLock[];
  /** Snapshots that may be points and cannot be read: nobody knows what they rest on. */
  readonly unreadable: readonly Unreadable[];
};

/** It counts from the end of the capture: no second of what was promised is lost to its duration. */
export const declaredLock = ({ declaration: { lock }, finishedAt }: PointManifest): VaultLock | null => {
  const forMs = lock === undefined ? undefined : parseDuration(lock.for);
  if (lock === undefined || forMs === undefined) return null;
  return { until: new Date(Date.parse(finishedAt) + forMs), mode: lock.mode ?? "governance" };
};

const hourMs = 3_600_000;

/**
 * For what is kept beside points, such as the log and copies of runs: as long as a point that is taken now, and as strict as the strictest.
 * To the next whole hour, so that what they all rest on need not be locked anew for each.
 */
export const lockBeside = (locks: readonly ServiceDeclaration["lock"][], now: Date): VaultLock | null => {
  const declared = locks.filter((lock) => lock !== undefined);
  const longestMs = Math.max(0, ...declared.map((lock) => parseDuration(lock.for) ?? 0));
  if (longestMs === 0) return null;
  return {
    until: new Date(Math.ceil((now.getTime() + longestMs) / hourMs) * hourMs),
    mode: declared.some(({ mode }) => mode === "compliance") ? "compliance" : "governance",
  };
};

export const pointLock = ({ id, manifest, missing }: RecoveryPoint, { id: _id, ...report }: LockReport): PointLock => {
  const declared = declaredLock(manifest);
  const lost = report.missing + missing.length;
  return {
    ...report,
    missing: lost,
    until: lost === 0 ? report.until : null,
    point: id,
    service: manifest.service,
    at: manifest.consistentAt,
    declared: declared === null ? null : { until: declared.until.toISOString(), mode: declared.mode },
    kept:
      declared !== null &&
      lost === 0 &&
      report.until !== null &&
      Date.parse(report.until) >= declared.until.getTime() &&
      (declared.mode === "governance" || report.mode === "compliance"),
  };
};
