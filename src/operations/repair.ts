/** verify --repair: what of the damage that a verification found can be repaired and from where, and the repair itself. */
import { audited } from "../core/audit/audited.ts";
import type { BlobCopies, RepairReport, VerifyFinding, VerifyReport } from "../core/ports/vault.ts";
import type { Workbench } from "../core/ports/workbench.ts";

export type RepairRequest = {
  readonly apply: boolean;
  /** Another vault to fetch from; its password file, or null for the password of this one. */
  readonly from: { readonly url: string; readonly passwordFile: string | null } | null;
};

/** Drivers whose files lie in the vault under the paths that they have on the disk. */
const liveDrivers: ReadonlySet<string> = new Set(["files", "process"]);

export const repairVault = async (
  bench: Workbench,
  report: VerifyReport,
  { apply, from }: RepairRequest,
  signal: AbortSignal,
): Promise<RepairReport> => {
  const { repository } = await bench.vault();
  const memory = await bench.vaultMemory();
  const sources: BlobCopies[] = [];
  if (from !== null) sources.push(await (await bench.otherVault(from.url, from.passwordFile)).copies());
  const files = await hurtFiles(bench, report.findings);
  if (files.length > 0) sources.push(await repository.liveFiles(files, signal));
  const repair = () => repository.repair(report, { apply, sources, keepEvidence: memory.keepEvidence }, signal);
  if (!apply) return repair();
  const act = { action: "repair", service: null, detail: { from: from?.url ?? null } } as const;
  return audited(bench.audit, act, repair, () => ({ detail: {} }));
};

/** Paths of hurt files that the machine may still have as they were. Whether they are the same is decided by their bytes. */
const hurtFiles = async (bench: Workbench, findings: readonly VerifyFinding[]): Promise<readonly string[]> => {
  const { points } = await bench.vault();
  const roots = new Map<string, string[]>();
  for (const { manifest } of await points.list()) {
    for (const { snapshot, driver, path } of Object.values(manifest.components)) {
      if (liveDrivers.has(driver)) roots.set(snapshot, [...(roots.get(snapshot) ?? []), path]);
    }
  }
  const files = findings.flatMap(({ affects }) =>
    affects.flatMap(({ snapshot, path }) =>
      (roots.get(snapshot) ?? []).some((root) => path === root || path.startsWith(`${root}/`)) ? [path] : [],
    ),
  );
  return [...new Set(files)];
};
