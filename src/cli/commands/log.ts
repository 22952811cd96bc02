/** log: the audit log and its proof. */
import { z } from "zod";
import type { AuditFinding } from "../../core/audit/verify-log.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { readLog } from "../../operations/log.ts";
import { renderLog } from "../../render/log-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { during } from "../live-progress.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const logCommand = defineCommand({
  name: "log",
  group: "Every day",
  summary: "the audit log and its proof",
  about: [
    "Every act on the vault and on what it recovers, with who, where, when and how it ended: captures, plans that were run, undo, commit, " +
      "cancel, approvals, keys, copies, what expired. It is kept in the vault, encrypted like all of it, and every entry holds the hash of " +
      "the one before.",
    "--verify proves it: an entry that was altered, taken out, put elsewhere or cut off at the end is named, and so is a point that was " +
      "removed by other means. Keep the last hash that it prints elsewhere: then not even who rewrites the whole log goes unnoticed.",
    "Entries that were made while the vault could not be reached wait in the state folder; the next command that reaches it brings them.",
  ],
  arguments: [{ ...serviceArgument, required: false }],
  options: [
    { name: "verify", about: "prove the chains; ends with 4 if they do not hold" },
    { name: "all", about: "every entry, not only the latest" },
  ],
  examples: [
    { line: "refloat log", about: "what was done lately, and by whom" },
    { line: "refloat log --verify", about: "has anybody touched the log, or removed a point?" },
    { line: "refloat log --json | jq '.data.entries[] | select(.action == \"undo\")'", about: "for a script" },
  ],
  exits: [3, 4],
  input: z.object({
    service: serviceInput.nullable().default(null),
    verify: z.boolean().default(false),
    all: z.boolean().default(false),
  }),
  act: async ({ service, verify, all }, { bench: open, output }) => {
    const bench = await open();
    const found = await during(output, bench.clock, "reading the log", () => readLog(bench, { service }));
    const now = bench.clock.now().toISOString();
    const text = renderLog(found, { now, all, verify }, output.screen(bench.host.timeZone));
    return answer("log", found, text, verify ? brokenLog(found.findings) : null);
  },
});

const brokenLog = (findings: readonly AuditFinding[]): RefloatError | null => {
  const [first, ...more] = findings.filter(({ severity }) => severity === "error");
  if (first === undefined) return null;
  const rest = more.length === 0 ? "" : `, and ${formatAmount(more.length, "more findings")}`;
  return new RefloatError("audit.broken", `the audit log does not hold: ${first.message}${rest}`, {
    context: { kind: first.kind, writer: first.writer, sequence: first.sequence },
    state: "nothing was changed; recovery points are not touched by this",
    hint: "find out who could write to the vault; what is recovered is verified by its own hashes in any case",
    nextCommand: "refloat verify",
  });
};
