/** vault locks: until when each point is safe from everyone, asked of the store file by file. */
import { type VaultLocks, pointLock } from "../core/points/point-locks.ts";
import type { VaultProgress } from "../core/ports/vault-snapshots.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { findService } from "../core/declaration/find-service.ts";
import { snapshotIdSchema } from "../model/identifiers.ts";

/** @param service null for all @throws RefloatError service.unknown, vault.denied without the right to ask for locks */
export const vaultLocks = async (
  bench: Workbench,
  service: string | null,
  signal: AbortSignal,
  progress: VaultProgress,
): Promise<VaultLocks> => {
  const name = service === null ? undefined : findService(await bench.declaration(), service).name;
  const { repository, points } = await bench.vault();
  const all = await points.list(name);
  const questions = all.map(({ id, manifest, missing }) => ({
    id,
    snapshots: [
      snapshotIdSchema.parse(id),
      ...Object.values(manifest.components).flatMap((member) =>
        missing.includes(member.name) ? [] : [member.snapshot],
      ),
    ],
  }));
  const reports = new Map((await repository.locksOf(questions, signal, progress)).map((report) => [report.id, report]));
  return {
    location: repository.location,
    support: await repository.lockSupport(),
    unreadable: await points.unreadable(),
    points: all.flatMap((point) => {
      const report = reports.get(point.id);
      return report === undefined ? [] : [pointLock(point, report)];
    }),
  };
};
