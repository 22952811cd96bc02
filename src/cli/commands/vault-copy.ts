/** vault copy: bring points to a second vault. */
import { z } from "zod";
import { eventEnvelope } from "../../contract/envelope.ts";
import type { VaultCopy } from "../../core/points/copied-points.ts";
import { formatAmount, formatBytes, formatCount } from "../../core/text/quantity.ts";
import { shortId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { copyVault } from "../../operations/vault-copy.ts";
import { renderCopy } from "../../render/copy-screen.ts";
import { type CommandContext, answer, defineCommand } from "../command.ts";
import { canAsk } from "../ask.ts";
import { showProgress, sparsely } from "../live-progress.ts";
import { askPassword, passwordInEnvironment, passwordInFile } from "../vault-password.ts";

export const vaultCopyCommand = defineCommand({
  name: "vault copy",
  group: "Machinery",
  summary: "bring points to a second vault",
  about: [
    "Copies recovery points, the oldest first, to another vault: the third copy, in another place, under another password. Only what the other " +
      "vault lacks is sent. Every piece is decrypted and held against its SHA-256 on the way, and everything written is read back before a " +
      "point appears. Killed at any moment, it leaves no half point there; run again, it goes on.",
    "Points keep their ids, times, tags, holds, marks, incidents and place in the chain of points, so that refloat --vault URL points, plan and recover work from " +
      "the copy alone. A point with lock: is locked there as long, where the other store can lock. The copy has keys and an audit log of its " +
      "own; what is let go here stays there until it is pruned there.",
    "Nothing in the vault that is copied from is changed. A damaged point is named and left out, and the command ends with 4.",
  ],
  arguments: [
    {
      name: "POINT",
      about: "only these points: ids, or their first letters; all when left out",
      required: false,
      repeats: true,
      completes: "places",
    },
  ],
  options: [
    { name: "to", value: "URL", about: "the other vault", completes: "files" },
    {
      name: "to-password-file",
      value: "FILE",
      about:
        "the file with its password (else REFLOAT_TO_PASSWORD, else it is asked for; without a terminal, that of this vault)",
      completes: "files",
    },
    { name: "init", about: "make the other vault: files are cut there as here, so that they are stored once" },
    {
      name: "in-place-of",
      value: "VAULT",
      about: "with --init: give up the vault of this id, which was at that place and is lost, for a new one",
    },
    { name: "service", value: "SERVICE", about: "only points of this service", completes: "services" },
    { name: "dry-run", about: "say what would be copied and how much that is; write nothing" },
  ],
  examples: [
    {
      line: "refloat vault copy --to sftp:backup@elsewhere:/vault --to-password-file copy-password --init",
      about: "the first time",
    },
    {
      line: "40 * * * *  refloat vault copy --to /mnt/usb/vault --to-password-file /root/copy-password --json",
      about: "by cron: what is new",
    },
    { line: "refloat vault copy 7f3a91c2 --to /mnt/usb/vault", about: "one point, to take away" },
  ],
  exits: [3, 4, 7],
  input: z.object({
    point: z.array(z.string()).default([]),
    to: z.string({ error: "--to names the vault to copy to" }),
    toPasswordFile: z.string().nullable().default(null),
    init: z.boolean().default(false),
    inPlaceOf: z.string().nullable().default(null),
    service: z.string().nullable().default(null),
    dryRun: z.boolean().default(false),
  }),
  act: async ({ point, to, toPasswordFile, init, inPlaceOf, service, dryRun }, context) => {
    const { bench: open, output, signal } = context;
    if (inPlaceOf !== null && !init)
      throw new RefloatError("usage", "--in-place-of says which vault a new one replaces, and goes with --init");
    const bench = await open();
    const done = { point: null as RecoveryPoint | null, points: 0, of: 0, blobs: 0, newBytes: 0 };
    const beganMs = bench.clock.monotonicMs();
    const line = (): string => {
      const seconds = Math.max(0.001, (bench.clock.monotonicMs() - beganMs) / 1000);
      const at = done.point === null ? "" : ` ${shortId(done.point.id)} of ${done.point.manifest.service},`;
      return (
        `copying${at} ${done.points} of ${formatAmount(done.of, "points")}: ${formatCount(done.blobs)} pieces, ` +
        `${formatBytes(done.newBytes)}, ${formatBytes(Math.round(done.newBytes / seconds))}/s`
      );
    };
    const tell = (): void =>
      output.event(
        eventEnvelope("copy", {
          point: done.point?.id ?? null,
          pointsDone: done.points,
          points: done.of,
          blobs: done.blobs,
          newBytes: done.newBytes,
        }),
      );
    const tellSparsely = sparsely(bench.clock, tell);
    const password = await otherPassword(context, to, toPasswordFile);
    const progress = showProgress(output, { frame: line, line });
    const request = { to: { url: to, password, create: init && !dryRun, inPlaceOf }, service, points: point, dryRun };
    const copy = await copyVault(
      bench,
      request,
      signal,
      (next, points, of) => {
        Object.assign(done, { point: next, points, of });
        tell();
      },
      ({ bytes, items }) => {
        done.blobs += items;
        done.newBytes += bytes;
        tellSparsely();
      },
    ).finally(() => progress.stop());
    const now = bench.clock.now().toISOString();
    return answer("vault-copy", copy, renderCopy(copy, now, output.screen(bench.host.timeZone)), damageOf(copy));
  },
});

/** @returns null for that of this vault; asked for at once, not in the midst of the work */
const otherPassword = async (
  { shell, output, global }: CommandContext,
  url: string,
  file: string | null,
): Promise<(() => Promise<string>) | null> => {
  if (file !== null) return () => passwordInFile(file, shell);
  const fromEnvironment = passwordInEnvironment("REFLOAT_TO_PASSWORD", shell);
  if (fromEnvironment !== null) return async () => fromEnvironment;
  if (global.yes || !canAsk(shell, output)) return null;
  const typed = await askPassword(`Password of the vault at ${url} (empty: that of this vault)`, shell, output);
  return typed === "" ? null : async () => typed;
};

const damageOf = ({ points, unreadable }: VaultCopy): RefloatError | null => {
  const damaged = points.filter(({ state }) => state === "damaged").length;
  if (damaged === 0 && unreadable.length === 0) return null;
  const what = [
    ...(damaged === 0 ? [] : [`${formatAmount(damaged, "points")} not copied`]),
    ...(unreadable.length === 0 ? [] : [`${formatAmount(unreadable.length, "snapshots")} cannot be read`]),
  ];
  return new RefloatError("vault.damaged", what.join("; "), {
    state: "all other points were copied; nothing in this vault was changed",
    nextCommand: "refloat verify --read-data",
  });
};
