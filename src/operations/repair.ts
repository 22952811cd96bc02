/** verify --repair: what of the damage that a verification found can be repaired and from where, and the repair itself. */
import { audited } from "../core/audit/audited.ts";
import type { BlobCopies } from "../core/ports/vault-copying.ts";
import type { RepairReport, VerifyFinding, VerifyReport } from "../core/ports/vault-verification.ts";
import type { OtherVault, Workbench } from "../core/ports/workbench.ts";

export type RepairRequest = {
  readonly apply: boolean;
  /** Another vault to fetch from. */
  readonly from: OtherVault | null;
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
  const copy = from === null ? null : await (await bench.otherVault(from)).repository.copies();
  try {
    if (copy !== null) sources.push(copy);
    const files = await hurtFiles(bench, report.findings);
    if (files.length > 0) sources.push(await repository.liveFiles(files, signal));
    const repair = () => repository.repair(report, { apply, sources, keepEvidence: memory.keepEvidence }, signal);
    if (!apply) return await repair();
    const act = { action: "repair", service: null, detail: { from: from?.url ?? null } } as const;
    return await audited(bench.audit, act, repair, () => ({ detail: {} }));
  } finally {
    copy?.release();
  }
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
