/** Tells that entries of the audit log are on this machine only, so that nobody takes the log in the vault for the whole one. */
import type { Workbench } from "../core/ports/workbench.ts";
import { formatAmount } from "../core/text/quantity.ts";
import type { Output } from "./output.ts";

export const tellAuditBacklog = async ({ audit }: Workbench, output: Output): Promise<void> => {
  const { entries, reason, directory } = await audit.backlog();
  if (entries === 0) return;
  output.note(
    `audit log: ${formatAmount(entries, "entries")} not in the vault yet (${reason ?? "unknown"})\n` +
      `  kept in ${directory}; the next command that reaches the vault brings ${entries === 1 ? "it" : "them"} there`,
  );
};
