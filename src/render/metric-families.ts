/**
 * What `status` knows, as metrics. By the conventions of Prometheus: base units (seconds), moments as timestamps rather than ages, so that an age goes on
 * growing when nothing is read any more; what is not known has no sample instead of a zero.
 */
import { asOf } from "../core/points/compose-points.ts";
import { overdueSince } from "../core/points/overdue.ts";
import { parseDuration } from "../core/time/duration.ts";
import { type RunState, runStates } from "../model/run.ts";
import type { MetricFamily, MetricSample } from "./metrics-text.ts";
import type { ServiceState, StatusScreenData } from "./status-screen.ts";

export type MeasuredService = ServiceState & {
  readonly points: number;
  /** The newest point whose bytes were all read and were sound. */
  readonly lastVerified: { readonly takenAt: string; readonly verifiedAt: string } | null;
};

export type MeasuredStatus = Omit<StatusScreenData, "services"> & { readonly services: readonly MeasuredService[] };

const seconds = (instant: string): number => Date.parse(instant) / 1000;

const flag = (isSo: boolean): number => (isSo ? 1 : 0);

const gauge = (name: string, help: string, samples: readonly MetricSample[]): MetricFamily => ({
  name: `refloat_${name}`,
  type: "gauge",
  help,
  samples,
});

/** @param version of Refloat @param timeZone in which cron expressions are read */
export const metricFamilies = (status: MeasuredStatus, version: string, timeZone: string): readonly MetricFamily[] => [
  gauge("build_info", "Version of Refloat.", [{ labels: { version }, value: 1 }]),
  gauge("collected_timestamp_seconds", "When these metrics were read.", [{ labels: {}, value: seconds(status.at) }]),
  ...vaultFamilies(status),
  ...(status.services.length === 0 ? [] : serviceFamilies(status, timeZone)),
];

const vaultFamilies = ({ vault }: MeasuredStatus): readonly MetricFamily[] => {
  const { problem, verification, gone } = vault;
  const alone = (value: number | null): readonly MetricSample[] => (value === null ? [] : [{ labels: {}, value }]);
  return [
    gauge("vault_up", "Whether the vault opens and can be listed.", alone(flag(problem === null))),
    gauge(
      "vault_last_verification_timestamp_seconds",
      "When this machine last verified the vault.",
      alone(verification === null ? null : seconds(verification.at)),
    ),
    gauge(
      "vault_last_verification_errors",
      "Errors that the last verification found.",
      alone(verification?.errors ?? null),
    ),
    gauge(
      "vault_points_gone",
      "Points that this machine has seen and that are gone without a recorded departure.",
      alone(problem === null ? gone.length : null),
    ),
  ];
};

const serviceFamilies = ({ services, vault, at }: MeasuredStatus, timeZone: string): readonly MetricFamily[] => {
  const opens = vault.problem === null;
  /** One sample for each service for which it is known. */
  const each = (name: string, help: string, valueOf: (state: MeasuredService) => number | null): MetricFamily =>
    gauge(
      name,
      help,
      services.flatMap((state) => {
        const value = valueOf(state);
        return value === null ? [] : [{ labels: { service: state.service.name }, value }];
      }),
    );
  const objective = (kind: "rto" | "rpo" | "mtd") => (state: MeasuredService) => {
    const text = state.service.objectives[kind];
    const ms = text === undefined ? undefined : parseDuration(text);
    return ms === undefined ? null : ms / 1000;
  };
  return [
    each("service_rto_objective_seconds", "How long the service may be away, as declared.", objective("rto")),
    each("service_rpo_objective_seconds", "How much may be lost, as declared.", objective("rpo")),
    each("service_mtd_objective_seconds", "When the business is harmed for good, as declared.", objective("mtd")),
    each("service_probe_up", "Whether the probe answers right.", ({ probe }) =>
      probe === null || probe.status === "skipped" ? null : flag(probe.status === "passed"),
    ),
    each("service_incident_open", "Whether an incident is open.", ({ incident }) =>
      opens ? flag(incident != null) : null,
    ),
    each("service_points", "Recovery points in the vault.", ({ points }) => (opens ? points : null)),
    each("service_last_point_timestamp_seconds", "When the newest point was taken.", ({ lastPoint }) =>
      lastPoint === null ? null : seconds(lastPoint.manifest.consistentAt),
    ),
    each(
      "service_last_point_failed_checks",
      "Checks and invariants that failed at the newest point.",
      ({ lastPoint }) =>
        lastPoint === null
          ? null
          : [...lastPoint.manifest.checks, ...lastPoint.manifest.invariants].filter(({ status }) => status === "failed")
              .length,
    ),
    each("service_last_point_missing_components", "Components whose data the newest point has lost.", ({ lastPoint }) =>
      lastPoint === null ? null : lastPoint.missing.length,
    ),
    each(
      "service_last_verified_point_timestamp_seconds",
      "When the newest point was taken whose bytes were all read and were sound.",
      ({ lastVerified }) => (lastVerified === null ? null : seconds(lastVerified.takenAt)),
    ),
    each(
      "service_recoverable_timestamp_seconds",
      "The moment that all data could be brought back to: that of the newest point, or the end of its logs.",
      ({ recoverableTo }) => (recoverableTo == null ? null : seconds(recoverableTo)),
    ),
    each(
      "service_capture_overdue_seconds",
      "For how long a point has been due by the schedule; 0 when none is.",
      ({ service, lastPoint }) => {
        if (!opens || service.schedule === undefined || lastPoint === null) return null;
        const since = overdueSince(service.schedule, asOf(lastPoint), at, timeZone);
        return since === null ? 0 : seconds(at) - seconds(since);
      },
    ),
    each("service_last_recovery_rto_seconds", "RTO actual of the last run that put it back.", ({ lastRecovery }) =>
      lastRecovery === null ? null : lastRecovery.actualMs / 1000,
    ),
    logFamily("log_end_timestamp_seconds", "Until when the vault has the log.", services, ({ toAt }) => seconds(toAt)),
    logFamily("log_leads_on", "Whether the log leads on from the newest point.", services, ({ leadsOn }) =>
      flag(leadsOn),
    ),
    ...runFamilies(services, at),
  ];
};

const logFamily = (
  name: string,
  help: string,
  services: readonly MeasuredService[],
  valueOf: (log: NonNullable<ServiceState["logs"]>[number]) => number,
): MetricFamily =>
  gauge(
    name,
    help,
    services.flatMap(({ service, logs = [] }) =>
      logs.map((log) => ({ labels: { service: service.name, component: log.component }, value: valueOf(log) })),
    ),
  );

/** The newest run by its number, since gauges of all runs would be new series for ever. */
const runFamilies = (services: readonly MeasuredService[], at: string): readonly MetricFamily[] => {
  const newest = services.flatMap(({ service, runs }) => {
    const [run] = runs;
    return run === undefined ? [] : [{ labels: { service: service.name }, run }];
  });
  return [
    gauge(
      "runs",
      "Runs in this machine's journal, by state.",
      services.flatMap(({ service, runs }) =>
        runStates.map((state: RunState) => ({
          labels: { service: service.name, state },
          value: runs.filter((run) => run.state === state).length,
        })),
      ),
    ),
    gauge(
      "last_run_number",
      "Number of the newest run.",
      newest.map(({ labels, run }) => ({ labels, value: run.number })),
    ),
    gauge(
      "last_run_state",
      "State of the newest run: 1 for the one that it is in.",
      newest.flatMap(({ labels, run }) =>
        runStates.map((state) => ({ labels: { ...labels, state }, value: flag(run.state === state) })),
      ),
    ),
    gauge(
      "last_run_begin_timestamp_seconds",
      "When the newest run began.",
      newest.map(({ labels, run }) => ({ labels, value: seconds(run.beganAt) })),
    ),
    gauge(
      "last_run_duration_seconds",
      "How long the newest run took, or has taken until now.",
      newest.map(({ labels, run }) => ({ labels, value: seconds(run.endedAt ?? at) - seconds(run.beganAt) })),
    ),
  ];
};
