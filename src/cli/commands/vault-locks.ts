/** vault locks: until when points are safe. */
import { z } from "zod";
import type { VaultLocks } from "../../core/points/point-locks.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { vaultLocks } from "../../operations/vault-locks.ts";
import { renderLocks } from "../../render/locks-screen.ts";
import { answer, defineCommand } from "../command.ts";
import { showProgress } from "../live-progress.ts";
import { serviceInput } from "../words.ts";

export const vaultLocksCommand = defineCommand({
  name: "vault locks",
  group: "Machinery",
  summary: "until when no one can delete a point",
  about: [
    "Asks the vault's store, file by file, for the lock of everything that a point rests on: packs, the indexes that name them, keys and config " +
      "too. A point is as safe as the least safe of its files. Nothing is taken from what Refloat wrote down. Of keys the one counts that has opened the vault.",
    "What is locked in the place of a file counts as missing: it is told by the SHA-256 that the server keeps, else by versions that differ (which are read), " +
      "else by a length that is too short for what is in it. What that does not tell, refloat verify --read-data does.",
    "Locks are set by a capture of a service with lock:, in a bucket with Object Lock, and prolonged when a later point rests on the same files. " +
      "In a folder they are the immutable flag of the file system, which root sets and can lift. It says what is and is not guaranteed, and ends " +
      "with 4 when a declared lock that has not run out is not kept.",
  ],
  arguments: [{ name: "SERVICE", about: "only its points", required: false, completes: "services" }],
  options: [],
  examples: [
    { line: "refloat vault locks", about: "every point of every service" },
    { line: "refloat vault locks shop --json | jq '.data.points[] | select(.kept | not)'", about: "for a script" },
  ],
  exits: [3, 4, 7],
  input: z.object({ service: serviceInput.optional() }),
  act: async ({ service }, { bench: open, output, signal }) => {
    const bench = await open();
    let asked = 0;
    const line = (): string => `asking the store: ${formatAmount(asked, "locks")}`;
    const progress = showProgress(output, { frame: line, line });
    try {
      const found = await vaultLocks(bench, service ?? null, signal, ({ items }) => (asked += items));
      const now = bench.clock.now().toISOString();
      const text = renderLocks(found, now, output.screen(bench.host.timeZone));
      return answer("vault-locks", found, text, brokenPromise(found, now));
    } finally {
      progress.stop();
    }
  },
});

/** A lock that was declared, should still hold and does not. Where nothing can be locked the screen says so instead. */
const brokenPromise = ({ support, points, unreadable }: VaultLocks, now: string): RefloatError | null => {
  if (!support.locks && points.every(({ until }) => until === null)) return null;
  const broken = points.filter(({ declared, kept }) => declared !== null && !kept && declared.until > now);
  if (broken.length === 0 && unreadable.length === 0) return null;
  const what = [
    ...(broken.length === 0 ? [] : [`${formatAmount(broken.length, "points")} not locked as declared`]),
    ...(unreadable.length === 0 ? [] : [`${formatAmount(unreadable.length, "snapshots")} cannot be read`]),
  ];
  return new RefloatError("vault.damaged", what.join("; "), {
    context: { points: broken.map(({ point }) => point) },
    state: "nothing was changed",
    hint:
      support.keptBy === "file-system"
        ? "a flag was lifted, a file was removed or never locked, or compliance was declared, which a folder cannot keep; capture again as root"
        : "a file was removed, hidden or replaced, or was never locked; capture again, and look at the past with --vault-as-of",
  });
};
