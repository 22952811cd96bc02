/** All commands, in the order of the help. */
import type { Command } from "./command.ts";
import { approveCommand } from "./commands/approve.ts";
import { assessCommand } from "./commands/assess.ts";
import { browseCommand } from "./commands/browse.ts";
import { cancelCommand } from "./commands/cancel.ts";
import { captureCommand } from "./commands/capture.ts";
import { commitCommand } from "./commands/commit.ts";
import { completionCommand } from "./commands/completion.ts";
import { diffCommand } from "./commands/diff.ts";
import { discoverCommand } from "./commands/discover.ts";
import { doneCommand } from "./commands/done.ts";
import { editCommand } from "./commands/edit.ts";
import { extractCommand } from "./commands/extract.ts";
import { findCommand } from "./commands/find.ts";
import { metricsCommand } from "./commands/metrics.ts";
import { notifyCommand } from "./commands/notify.ts";
import { incidentCommand } from "./commands/incident.ts";
import { initCommand } from "./commands/init.ts";
import { markCommand } from "./commands/mark.ts";
import { mendCommand } from "./commands/mend.ts";
import { mountCommand } from "./commands/mount.ts";
import { logCommand } from "./commands/log.ts";
import { pauseCommand } from "./commands/pause.ts";
import { planCommand } from "./commands/plan.ts";
import { pointsCommand } from "./commands/points.ts";
import { recoverCommand } from "./commands/recover.ts";
import { rearmCommand } from "./commands/rearm.ts";
import { readyCommand } from "./commands/ready.ts";
import { reconcileCommand } from "./commands/reconcile.ts";
import { resumeCommand } from "./commands/resume.ts";
import { runsCommand } from "./commands/runs.ts";
import { schemaCommand } from "./commands/schema.ts";
import { skipCommand } from "./commands/skip.ts";
import { statusCommand } from "./commands/status.ts";
import { timelineCommand } from "./commands/timeline.ts";
import { undoCommand } from "./commands/undo.ts";
import { validateCommand } from "./commands/validate.ts";
import { vaultInitCommand } from "./commands/vault-init.ts";
import { vaultCopyCommand } from "./commands/vault-copy.ts";
import { vaultEscrowCommand } from "./commands/vault-escrow.ts";
import { vaultPruneCommand } from "./commands/vault-prune.ts";
import { vaultKeysCommand } from "./commands/vault-keys.ts";
import { vaultLocksCommand } from "./commands/vault-locks.ts";
import { verifyCommand } from "./commands/verify.ts";

export const commandTable: readonly Command[] = [
  statusCommand,
  assessCommand,
  pointsCommand,
  timelineCommand,
  planCommand,
  recoverCommand,
  runsCommand,
  approveCommand,
  doneCommand,
  skipCommand,
  pauseCommand,
  editCommand,
  resumeCommand,
  cancelCommand,
  undoCommand,
  reconcileCommand,
  commitCommand,
  rearmCommand,
  incidentCommand,
  browseCommand,
  findCommand,
  diffCommand,
  extractCommand,
  mendCommand,
  mountCommand,
  initCommand,
  validateCommand,
  captureCommand,
  verifyCommand,
  markCommand,
  readyCommand,
  discoverCommand,
  logCommand,
  metricsCommand,
  notifyCommand,
  vaultInitCommand,
  vaultCopyCommand,
  vaultPruneCommand,
  vaultKeysCommand,
  vaultEscrowCommand,
  vaultLocksCommand,
  schemaCommand,
  completionCommand,
];
