/** verify: prove the vault's bytes. */
import { z } from "zod";
import { formatAmount, formatBytes, formatCount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { eventEnvelope } from "../../contract/envelope.ts";
import type { RepairReport, VerifyLimit } from "../../core/ports/vault-verification.ts";
import type { OtherVault } from "../../core/ports/workbench.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { type VaultVerification, type VerifyRequest, verifyVault } from "../../operations/verify.ts";
import { repairVault } from "../../operations/repair.ts";
import { isRepairable, renderRepair } from "../../render/repair-screen.ts";
import { isOnlyMissed, renderVerify } from "../../render/verify-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import type { Shell } from "../shell.ts";
import { passwordInFile } from "../vault-password.ts";
import { during, showProgress, sparsely } from "../live-progress.ts";

const sizeUnits = { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

/** `10m` or `20GB`. */
const parseBudget = (text: string): VerifyLimit | undefined => {
  const { size, unit } = /^(?<size>\d+(?:\.\d+)?) ?(?<unit>kB|MB|GB|TB)$/.exec(text)?.groups ?? {};
  if (size !== undefined) return { bytes: Number(size) * sizeUnits[unit as keyof typeof sizeUnits] };
  const durationMs = parseDuration(text);
  return durationMs === undefined ? undefined : { durationMs };
};

const verifyInput = z
  .object({
    readData: z.boolean().default(false),
    sample: z
      .string()
      .regex(/^(?:100|\d{1,2}(?:\.\d+)?) ?%$/, "--sample takes a share of the data: 5%")
      .nullable()
      .default(null),
    budget: z
      .string()
      .refine((text) => parseBudget(text) !== undefined, "--budget takes a duration or a size: 10m, 20GB")
      .nullable()
      .default(null),
    acceptGone: z.boolean().default(false),
    repair: z.boolean().default(false),
    from: z.string().nullable().default(null),
    fromPasswordFile: z.string().nullable().default(null),
  })
  .refine(({ repair, from }) => repair || from === null, "--from is where --repair fetches from: give both")
  .refine(
    ({ from, fromPasswordFile }) => from !== null || fromPasswordFile === null,
    "--from-password-file is that of the vault that --from names",
  )
  .refine(
    ({ readData, sample, budget }) => !readData || (sample === null && budget === null),
    "--read-data reads everything: --sample and --budget do not go with it",
  );

const requestOf = ({ readData, sample, budget, acceptGone }: z.infer<typeof verifyInput>): VerifyRequest => ({
  depth: readData ? "read-data" : sample === null && budget === null ? "structure" : "sample",
  limit: {
    ...(sample === null ? {} : { share: Number.parseFloat(sample) / 100 }),
    ...(budget === null ? {} : parseBudget(budget)),
  },
  acceptGone,
});

export const verifyCommand = defineCommand({
  name: "verify",
  group: "Every day",
  summary: "prove the vault's bytes",
  about: [
    "Checks that everything a recovery point needs is in the vault: snapshots, trees, the index, and the packs it names. With --read-data " +
      "every byte is read and its SHA-256 compared, which takes as long as reading the whole vault.",
    "With --sample or --budget some of the data is read, what was read longest ago first; this machine remembers in its state folder " +
      "what it has read, so that regular small verifications cover everything in turn. It tells what share was read, and how long all of it " +
      "would take at this rate. A time counts from the beginning: the structure is checked whole, and the data gets what that leaves.",
    "Each point has a root that names the points before it: one that is taken away or replaced is missed, and so is one that only this " +
      "machine has seen. Damage is named with the points, components, tables and files that it hurts.",
    "With --repair it says what can be mended and from where, asks, and mends: indexes from the packs' own headers, blobs from sound copies " +
      "in the vault, from another copy of it (--from), and from files that are still as they were captured. What it takes out is kept in the " +
      "state folder. Without --repair and --accept-gone nothing in the vault is changed.",
  ],
  arguments: [],
  options: [
    { name: "read-data", about: "read and hash every byte" },
    { name: "sample", value: "PERCENT", about: "read that much of the data, what was read longest ago first: 5%" },
    {
      name: "budget",
      value: "LIMIT",
      about: "read for so long, or so much, what was read longest ago first: 10m, 20GB",
    },
    {
      name: "accept-gone",
      about: "points that are missed were removed on purpose: record that, and miss them no more",
    },
    { name: "repair", about: "mend what can be mended; shows what it will do, and asks" },
    { name: "from", value: "URL", about: "another copy of the vault, to fetch from what this one has lost" },
    {
      name: "from-password-file",
      value: "FILE",
      about: "the file with that copy's password; without it, the password of this vault",
      completes: "files",
    },
  ],
  examples: [
    { line: "refloat verify", about: "the structure, in seconds" },
    { line: "refloat verify --read-data --repair --from /mnt/copy/vault", about: "mend what bit rot has hurt" },
    { line: "refloat verify --read-data", about: "every byte, for a quiet hour" },
    {
      line: "0 3 * * *  refloat verify --budget 10m --json",
      about: "by cron: everything in turn, ten minutes a night",
    },
  ],
  exits: [3, 4, 7],
  input: verifyInput,
  act: async (input, context) => {
    const { bench: open, output, shell, signal } = context;
    const bench = await open();
    if (input.acceptGone) {
      await requireYes(context, {
        question: "Record that all points that are missed were removed on purpose?",
        unasked: "it silences what may be the only trace of a removal",
        nextCommand: "refloat verify --accept-gone --yes",
      });
    }
    const done = { bytes: 0, items: 0 };
    const beganMs = bench.clock.monotonicMs();
    const line = (): string => {
      const seconds = Math.max(0.001, (bench.clock.monotonicMs() - beganMs) / 1000);
      return `verifying: ${formatCount(done.items)} checked, ${formatBytes(done.bytes)} read, ${formatBytes(Math.round(done.bytes / seconds))}/s`;
    };
    const tell = sparsely(bench.clock, () =>
      output.event(eventEnvelope("verify", { itemsDone: done.items, bytesRead: done.bytes })),
    );
    const look = async (request: VerifyRequest): Promise<VaultVerification> => {
      const progress = showProgress(output, { frame: line, line });
      try {
        return await verifyVault(bench, request, signal, ({ bytes, items }) => {
          done.bytes += bytes;
          done.items += items;
          tell();
        });
      } finally {
        progress.stop();
      }
    };
    const request = requestOf(input);
    let found = await look(request);
    const repairs: RepairReport[] = [];
    // A tree that is whole again shows what is missing below it.
    while (input.repair && damageOf(found, repairs) !== null && repairs.length < mostRounds) {
      const before = found;
      const repair = (apply: boolean) =>
        during(output, bench.clock, apply ? "repairing" : "looking for sound copies", () =>
          repairVault(bench, before, { apply, from: sourceOf(input, shell) }, signal),
        );
      const plan = await repair(false);
      // What the store does not let go of is found again and again.
      if (!isRepairable(plan) || (repairs.at(-1)?.refused.length ?? 0) > 0) break;
      if (repairs.length === 0) {
        const screen = output.screen(bench.host.timeZone);
        output.say(`${renderVerify(found, screen)}\n${renderRepair(plan, screen)}`);
        await requireYes(context, {
          question: "Repair now?",
          unasked: "a repair rewrites parts of the vault",
          nextCommand: "refloat verify --repair --yes",
        });
      }
      repairs.push(await repair(true));
      found = await look({ ...request, acceptGone: false });
    }
    const screen = output.screen(bench.host.timeZone);
    const text = [
      ...repairs.map((repair) => renderRepair(repair, screen)),
      renderVerify(found, screen, repairs.length > 0),
    ].join("\n");
    return answer("verify", { ...found, repairs }, text, damageOf(found, repairs));
  },
});

const mostRounds = 8;

const sourceOf = ({ from, fromPasswordFile }: z.infer<typeof verifyInput>, shell: Shell): OtherVault | null =>
  from === null
    ? null
    : { url: from, password: fromPasswordFile === null ? null : () => passwordInFile(fromPasswordFile, shell) };

const damageOf = (
  { findings, hurt, gone }: VaultVerification,
  repairs: readonly RepairReport[],
): RefloatError | null => {
  const errors = findings.filter(({ severity }) => severity === "error");
  if (errors.length === 0 && hurt.length === 0) return null;
  if (hurt.length === 0 && isOnlyMissed(errors, gone)) {
    return new RefloatError("vault.damaged", `${formatAmount(errors.length, "points")} gone`, {
      state: "nothing was changed; points that are not named can be recovered",
      hint:
        "if they were removed on purpose, as by `restic forget`, --accept-gone records it; if not, `refloat log` tells who did what, " +
        "and another copy of the vault may still have them",
      nextCommand: "refloat verify --accept-gone",
    });
  }
  return new RefloatError(
    "vault.damaged",
    `${formatAmount(errors.length, "errors")}; ${formatAmount(hurt.length, "points")} hurt`,
    {
      state:
        repairs.length === 0
          ? "nothing was changed; points that are not named can be recovered"
          : "what could be repaired was; points that are not named can be recovered",
      hint:
        repairs.length === 0
          ? "--repair says what can be mended and from where, and asks before it does"
          : "take a new point while the source is whole: what it still has, the vault gets again",
    },
  );
};
