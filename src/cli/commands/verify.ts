/** verify: prove the vault's bytes. */
import { z } from "zod";
import { formatAmount, formatBytes, formatCount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { eventEnvelope } from "../../contract/envelope.ts";
import { type VaultVerification, verifyVault } from "../../operations/verify.ts";
import { renderVerify } from "../../render/verify-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { showProgress, sparsely } from "../live-progress.ts";

export const verifyCommand = defineCommand({
  name: "verify",
  group: "Every day",
  summary: "prove the vault's bytes",
  about: [
    "Checks that everything a recovery point needs is in the vault: snapshots, trees, the index, and the packs it names. With --read-data " +
      "every byte is read and its SHA-256 compared, which takes as long as reading the whole vault.",
    "Damage is named with the recovery points that it hurts. Changes nothing.",
  ],
  arguments: [],
  options: [{ name: "read-data", about: "read and hash every byte" }],
  examples: [
    { line: "refloat verify", about: "the structure, in seconds" },
    { line: "refloat verify --read-data", about: "every byte, for a quiet hour" },
  ],
  exits: [3, 4, 7],
  input: z.object({ readData: z.boolean().default(false) }),
  act: async ({ readData }, { bench: open, output, signal }) => {
    const bench = await open();
    const done = { bytes: 0, items: 0 };
    const beganMs = bench.clock.monotonicMs();
    const line = (): string => {
      const seconds = Math.max(0.001, (bench.clock.monotonicMs() - beganMs) / 1000);
      return `verifying: ${formatCount(done.items)} checked, ${formatBytes(done.bytes)} read, ${formatBytes(Math.round(done.bytes / seconds))}/s`;
    };
    const progress = showProgress(output, { frame: line, line });
    const tell = sparsely(bench.clock, () =>
      output.event(eventEnvelope("verify", { itemsDone: done.items, bytesRead: done.bytes })),
    );
    try {
      const found = await verifyVault(bench, readData ? "read-data" : "structure", signal, ({ bytes, items }) => {
        done.bytes += bytes;
        done.items += items;
        tell();
      });
      return answer("verify", found, renderVerify(found, output.screen(bench.host.timeZone)), damageOf(found));
    } finally {
      progress.stop();
    }
  },
});

const damageOf = ({ findings, hurt }: VaultVerification): RefloatError | null => {
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length === 0 && hurt.length === 0) return null;
  return new RefloatError(
    "vault.damaged",
    `${formatAmount(errors.length, "errors")}; ${formatAmount(hurt.length, "points")} hurt`,
    {
      state: "nothing was changed; points that are not named can be recovered",
      hint: "take a new point while the source is whole: what it still has, the vault gets again",
    },
  );
};
