/** Looks at the logs that a vault holds and decides what of them may go with a prune, once it is known which points stay. */
import type { Declaration } from "../../model/declaration.ts";
import type { Incident } from "../../model/incident.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { openIncident } from "../points/open-incident.ts";
import type { DriverRegistry } from "../ports/driver.ts";
import type { OpenVault } from "../ports/workbench.ts";
import type { RetentionDecision } from "./decide-retention.ts";
import {
  type LogBegin,
  type LogDecision,
  type LogLifetimesInput,
  type NeededLog,
  decideLogs,
  pitrMs,
} from "./log-lifetimes.ts";

export type VaultLogsInput = {
  readonly vault: Pick<OpenVault, "repository" | "logs">;
  readonly registry: DriverRegistry;
  readonly declaration: Declaration;
  /** Empty for all. */
  readonly services: readonly string[];
  readonly retentions: readonly (RetentionDecision & { readonly service: string; readonly keep: object | null })[];
  /** What is going, of all services. */
  readonly expiring: ReadonlySet<string>;
  /** Points that cannot be read may need any of it. */
  readonly unreadable: number;
  readonly incidents: readonly Incident[];
  readonly needed: readonly NeededLog[];
  readonly now: Date;
};

export type LogRetention = LogDecision & {
  /** It stays: until then the store holds it. */
  readonly lockedUntil: string | null;
};

/** Where the driver says that going on from a component of a point begins. `lines`: those that the vault has of the component. */
export const logBeginOf =
  (registry: DriverRegistry) =>
  ({ manifest }: RecoveryPoint, component: string, lines: readonly string[]): LogBegin => {
    const captured = manifest.components[component];
    if (captured === undefined) return null;
    return registry.components.get(captured.driver)?.logs?.startOf(captured, lines) ?? null;
  };

export const decideVaultLogs = async (input: VaultLogsInput): Promise<readonly LogRetention[]> => {
  const { vault, registry, declaration, services, retentions, expiring, now } = input;
  const pieces = (await vault.logs.pieces()).filter(
    ({ service }) => services.length === 0 || services.includes(service),
  );
  const decisions = [...Map.groupBy(pieces, ({ service }) => service)].flatMap(([service, own]) => {
    const retention = retentions.find((one) => one.service === service);
    return decideLogs({
      pieces: own,
      kept: (retention?.points ?? []).map(({ point }) => point).filter(({ id }) => !expiring.has(id)),
      beginOf: logBeginOf(registry),
      windowMs: (component) => pitrMs(declaration.services[service], component),
      all: whyAll(input, service, retention),
      needed: input.needed,
      now: now.toISOString(),
    });
  });
  const ends = await vault.repository.lockEnds(
    decisions.filter(({ verdict }) => verdict !== "keep").map(({ piece }) => piece.id),
  );
  return decisions.map((decision) => {
    const end = ends.get(decision.piece.id);
    return { ...decision, lockedUntil: end === undefined || end <= now ? null : end.toISOString() };
  });
};

const whyAll = (
  { incidents, unreadable }: VaultLogsInput,
  service: string,
  retention: VaultLogsInput["retentions"][number] | undefined,
): LogLifetimesInput["all"] => {
  const incident = openIncident(incidents.filter((one) => one.service === service));
  if (incident !== null) return { kind: "incident", since: incident.since };
  if (unreadable > 0 || (retention?.doubt ?? null) !== null) return { kind: "doubt" };
  return retention !== undefined && retention.keep === null ? { kind: "no-policy" } : null;
};

/** What goes now. */
export const goingLogs = (logs: readonly LogRetention[]): readonly SnapshotId[] =>
  logs.filter(({ verdict, lockedUntil }) => verdict !== "keep" && lockedUntil === null).map(({ piece }) => piece.id);
