/** Is there a point that is fresh, whole, sound and read by somebody? Pure. */
import { asOf } from "../points/compose-points.ts";
import type { ServiceDeclaration } from "../../model/declaration.ts";
import { shortId } from "../../model/identifiers.ts";
import type { Incident } from "../../model/incident.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { ReadyCheck } from "../../model/readiness.ts";
import { overdueSince } from "../points/overdue.ts";
import type { LastVerification } from "../ports/vault-memory.ts";
import { formatAmount, formatList } from "../text/quantity.ts";
import { formatDuration, parseDuration } from "../time/duration.ts";

export type PointFacts = {
  readonly service: ServiceDeclaration;
  /** The one that a recovery would take now; null when there is none. */
  readonly point: RecoveryPoint | null;
  /** When the newest one was taken, whatever it is worth. */
  readonly newestAt: string | null;
  readonly recoverableTo: string | null;
  /** All that the point needs was read at this instant or later and was sound; null when that is not known here. */
  readonly verifiedAt: string | null;
  readonly verification: LastVerification | null;
  readonly incident: Incident | null;
  /** ISO 8601. */
  readonly now: string;
  readonly timeZone: string;
};

/** Silent corruption is a matter of months; after this a sample no longer says much. */
const verifiedWithinMs = 30 * 86_400_000;

/** `3m`, `2h05m`: seconds are of no use for the age of what is older than a minute. */
export const readyAge = (from: string, to: string): string => {
  const ms = Math.max(0, Date.parse(to) - Date.parse(from));
  return formatDuration(ms < 60_000 ? Math.round(ms / 1000) * 1000 : Math.floor(ms / 60_000) * 60_000);
};

export const judgePoint = (facts: PointFacts): readonly ReadyCheck[] => {
  const { service, point } = facts;
  if (point === null) {
    const nextCommand = `refloat capture ${service.name}`;
    return [
      { area: "point", subject: "freshness", level: "not-ready", found: "there is no recovery point", nextCommand },
    ];
  }
  return [freshness(facts, point), schedule(facts), soundness(point), verified(facts, point), incident(facts)].flat();
};

const freshness = ({ service, recoverableTo, now }: PointFacts, point: RecoveryPoint): ReadyCheck => {
  const reached = recoverableTo ?? asOf(point);
  const { rpo } = service.objectives;
  const rpoMs = rpo === undefined ? undefined : parseDuration(rpo);
  const lost = `point ${shortId(point.id)}, a recovery would lose the last ${readyAge(reached, now)}`;
  const base = { area: "point", subject: "freshness" };
  if (rpoMs === undefined) return { ...base, level: "ok", found: `${lost}; no rpo is declared` };
  if (Date.parse(now) - Date.parse(reached) <= rpoMs) return { ...base, level: "ok", found: `${lost} of ${rpo} (rpo)` };
  return {
    ...base,
    level: "not-ready",
    found: `${lost}, more than ${rpo} (rpo)`,
    nextCommand: `refloat capture ${service.name}`,
  };
};

const schedule = ({ service, newestAt, now, timeZone }: PointFacts): readonly ReadyCheck[] => {
  const overdue = overdueSince(service.schedule, newestAt, now, timeZone);
  if (overdue === null) return [];
  return [
    {
      area: "point",
      subject: "schedule",
      level: "warning",
      found: `the next point is overdue for ${readyAge(overdue, now)}`,
      hint: "see why the timer that captures did not run, or failed",
      nextCommand: `refloat capture ${service.name}`,
    },
  ];
};

/** A check that failed at the capture fails on the restored side too, and a recovery stops there. */
const soundness = ({ manifest }: RecoveryPoint): readonly ReadyCheck[] => {
  const asked = [...manifest.checks, ...manifest.invariants];
  const failed = asked.filter(({ status }) => status === "failed");
  if (failed.length === 0) {
    const found = asked.length === 0 ? null : `${formatAmount(asked.length, "checks")} passed at its capture`;
    return found === null ? [] : [{ area: "point", subject: "checks", level: "ok", found }];
  }
  return [
    {
      area: "point",
      subject: "checks",
      level: "not-ready",
      found: `failed at its capture: ${formatList(failed.map(({ subject }) => subject))}`,
      hint: "a recovery of this point would fail the same check",
      nextCommand: `refloat points ${manifest.service}`,
    },
  ];
};

const verified = ({ verifiedAt, verification, now }: PointFacts, point: RecoveryPoint): ReadyCheck => {
  const base = { area: "point", subject: "verified" };
  const nextCommand = "refloat verify";
  if (verifiedAt !== null) {
    const found = `every byte of it was read ${readyAge(verifiedAt, now)} ago and was sound`;
    const isOld = Date.parse(now) - Date.parse(verifiedAt) > verifiedWithinMs;
    return isOld ? { ...base, level: "warning", found, nextCommand } : { ...base, level: "ok", found };
  }
  if (verification !== null && verification.errors > 0) {
    return {
      ...base,
      level: "not-ready",
      found: `${formatAmount(verification.errors, "errors")} in the vault when it was verified ${readyAge(verification.at, now)} ago, and ${shortId(point.id)} is not known to be whole`,
      hint: "verify names the points that are hurt",
      nextCommand,
    };
  }
  const found =
    verification === null
      ? "the vault was never verified from this machine"
      : `not all of its bytes were read since; the last verification, ${readyAge(verification.at, now)} ago, found no error`;
  return { ...base, level: "warning", found, nextCommand };
};

const incident = ({ incident, service, now }: PointFacts): readonly ReadyCheck[] => {
  if (incident === null) return [];
  return [
    {
      area: "point",
      subject: "incident",
      level: "warning",
      found: `an incident is open since ${readyAge(incident.since, now)} ago: the point from before it is taken`,
      nextCommand: `refloat plan ${service.name}`,
    },
  ];
};
