import type { AuditLog } from "../ports/audit-log.ts";

const noBacklog = { entries: 0, reason: null, directory: "/nowhere/audit", newest: null };

/** Takes every entry and keeps none: for tests of what is not about the log. */
export const forgettingAuditLog: AuditLog = {
  append: async () => ({ writer: "00000000-0000-4000-8000-000000000000", sequence: 1, hash: "0".repeat(64) }),
  settle: async () => noBacklog,
  backlog: async () => noBacklog,
  read: async () => ({ entries: [], unreadable: [], anchors: [] }),
};
