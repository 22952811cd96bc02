/** verify: proves the vault's bytes, and names the points that damage would hurt. */
import type { VaultProgress, VerifyDepth, VerifyReport } from "../core/ports/vault.ts";
import type { Workbench } from "../core/ports/workbench.ts";

export type VaultVerification = VerifyReport & {
  /** Points that need a damaged or missing snapshot. */
  readonly hurt: readonly {
    readonly point: string;
    readonly service: string;
    readonly components: readonly string[];
  }[];
};

export const verifyVault = async (
  bench: Workbench,
  depth: VerifyDepth,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<VaultVerification> => {
  const { repository, points } = await bench.vault();
  const report = await repository.verify({ depth }, signal, progress);
  const damaged = new Set(report.findings.flatMap(({ affects }) => affects.map(({ snapshot }) => snapshot)));
  const hurt = (await points.list()).flatMap(({ id, manifest, missing }) => {
    const components = Object.values(manifest.components)
      .filter(({ name, snapshot }) => damaged.has(snapshot) || missing.includes(name))
      .map(({ name }) => name);
    return components.length === 0 ? [] : [{ point: id, service: manifest.service, components }];
  });
  return { ...report, hurt };
};
