/**
 * The lines under which the vault knows a component's history: those that it has a log of, and those that its points belong to. What is restored and goes on
 * begins a line of its own, so that two histories are never taken for one.
 */
import type { ComponentDriver } from "../ports/driver.ts";
import type { LogName } from "../ports/vault-logs.ts";
import type { OpenVault } from "../ports/workbench.ts";
import { linesOf } from "./log-spans.ts";

export const knownLines = async (
  { logs, points }: Pick<OpenVault, "logs" | "points">,
  driver: ComponentDriver,
  { service, component }: LogName,
): Promise<readonly string[]> => {
  const { logs: ownLogs, type } = driver;
  if (ownLogs === undefined) return [];
  const lines = linesOf((await logs.spans(service)).filter((span) => span.component === component));
  const ofPoints = (await points.list(service)).flatMap(({ manifest }) => {
    const captured = manifest.components[component];
    return captured?.driver === type ? (ownLogs.startOf(captured, lines)?.line ?? []) : [];
  });
  return [...new Set([...lines, ...ofPoints])];
};
