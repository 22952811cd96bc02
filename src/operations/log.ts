/** log: the audit log, and its proof. */
import { type AuditProof, verifyAuditLog } from "../core/audit/verify-log.ts";
import type { AuditBacklog } from "../core/ports/audit-log.ts";
import type { Workbench } from "../core/ports/workbench.ts";

export type LogRequest = { readonly service: string | null };

export type AuditLogView = AuditProof & {
  /** What is on this machine only. */
  readonly backlog: AuditBacklog;
};

/** The proof is over the whole log; only the entries that are shown are chosen. @throws RefloatError vault.* */
export const readLog = async (bench: Workbench, { service }: LogRequest): Promise<AuditLogView> => {
  const backlog = await bench.audit.settle();
  let proof = await prove(bench);
  // Entries that another machine has joined while they were being read are found by the second look.
  if (proof.findings.length > 0) proof = await prove(bench);
  const entries = proof.entries.filter((entry) => service === null || entry.service === service);
  return { ...proof, entries, backlog };
};

const prove = async (bench: Workbench): Promise<AuditProof> => {
  const { points, departures } = await bench.vault();
  // The log first: a point is committed before the entry that tells of it.
  const reading = await bench.audit.read();
  const listed = await points.list();
  const unreadable = await points.unreadable();
  return verifyAuditLog(reading, {
    points: new Set([...listed.map(({ id }): string => id), ...unreadable.map(({ id }) => id)]),
    departed: new Set<string>((await departures.list()).keys()),
    // The capture of one that was copied here stands in the log of the vault that it was made in.
    recorded: listed
      .filter(({ madeIn }) => madeIn === undefined)
      .map(({ id, manifest }) => ({ id, service: manifest.service, finishedAt: manifest.finishedAt })),
  });
};
