import { describe, expect, it } from "vitest";
import { shopRun } from "../../test/fixtures/shop-run.ts";
import { outcome, shop, shopIncident, shopPoint, shopPoints } from "../../test/fixtures/shop.ts";
import { readMetrics } from "../testing/read-metrics.ts";
import { type MeasuredService, type MeasuredStatus, metricFamilies } from "./metric-families.ts";
import { renderMetrics } from "./metrics-text.ts";

const at = "2026-11-22T15:12:00.000Z";

const measured: MeasuredService = {
  service: { ...shop, schedule: "every 30m" },
  points: 4,
  lastPoint: shopPoint({ id: "3c71e0aa", at: "2026-11-22T14:00:00.000Z", passed: false, missing: ["app"] }),
  lastVerified: { takenAt: "2026-11-22T13:00:04.000Z", verifiedAt: "2026-11-22T13:10:00.000Z" },
  probe: { ...outcome("probe", "failed"), kind: "http" },
  runs: [shopRun()],
  lastRecovery: { actualMs: 6_701_000 },
  incident: shopIncident("2026-11-22T13:21:40.000Z"),
  logs: [{ component: "db", toAt: "2026-11-22T15:11:56.500Z", leadsOn: true }],
  recoverableTo: "2026-11-22T14:00:00.000Z",
};

const vault: MeasuredStatus["vault"] = {
  problem: null,
  verification: { at: "2026-11-22T13:10:00.000Z", errors: 0 },
  gone: [],
};

const read = (status: Partial<MeasuredStatus>) =>
  readMetrics(renderMetrics(metricFamilies({ at, vault, services: [measured], ...status }, "0.1.0", "UTC")));

const valueOf = (metrics: ReturnType<typeof read>, name: string, labels: Record<string, string> = {}) =>
  metrics.find(
    (metric) =>
      metric.name === `refloat_${name}` &&
      Object.entries(labels).every(([label, value]) => metric.labels[label] === value),
  )?.value;

describe("metrics", () => {
  it("hold objectives, moments and states in seconds and flags", () => {
    const metrics = read({});
    const unix = (instant: string) => Date.parse(instant) / 1000;
    const of = (name: string, labels?: Record<string, string>) => valueOf(metrics, name, labels);
    expect(of("service_rto_objective_seconds")).toBe(900);
    expect(of("service_rpo_objective_seconds")).toBe(3600);
    expect(of("service_last_point_timestamp_seconds", { service: "shop" })).toBe(unix("2026-11-22T14:00:00Z"));
    expect(of("service_last_verified_point_timestamp_seconds")).toBe(unix("2026-11-22T13:00:04Z"));
    expect(of("service_last_point_failed_checks")).toBe(1);
    expect(of("service_last_point_missing_components")).toBe(1);
    expect(of("service_capture_overdue_seconds")).toBe(42 * 60);
    expect(of("service_probe_up")).toBe(0);
    expect(of("service_incident_open")).toBe(1);
    expect(of("service_last_recovery_rto_seconds")).toBe(6701);
    expect(of("log_end_timestamp_seconds", { component: "db" })).toBe(unix("2026-11-22T15:11:56.500Z"));
    expect(of("runs", { state: "succeeded" })).toBe(1);
    expect(of("last_run_state", { state: "succeeded" })).toBe(1);
    expect(of("last_run_state", { state: "failed" })).toBe(0);
    expect(of("last_run_duration_seconds")).toBeCloseTo(50.2);
    expect(of("vault_up")).toBe(1);
    expect(of("vault_last_verification_errors")).toBe(0);
  });

  it("say nothing of what is not known, and that the vault is down", () => {
    const bare = {
      ...measured,
      service: { ...shop, objectives: {} },
      points: 0,
      lastPoint: null,
      lastVerified: null,
      probe: null,
      runs: [],
      lastRecovery: null,
      incident: null,
      logs: [],
      recoverableTo: null,
    };
    const metrics = read({ vault: { problem: "no", verification: null, gone: [] }, services: [bare] });
    expect(metrics.map(({ name }) => name.replace("refloat_", ""))).toEqual([
      "build_info",
      "collected_timestamp_seconds",
      "vault_up",
      ...Array.from({ length: 9 }, () => "runs"),
    ]);
    expect(valueOf(metrics, "vault_up")).toBe(0);
    expect(
      valueOf(
        read({ services: [{ ...measured, lastPoint: shopPoints[0] ?? null }] }),
        "service_capture_overdue_seconds",
      ),
    ).toBe(0);
  });

  it("escape what would end a label", () => {
    const name = 'sh"op\\n\nx} 1';
    const metrics = read({ services: [{ ...measured, service: { ...measured.service, name } }] });
    expect(valueOf(metrics, "service_points", { service: name })).toBe(4);
  });
});
