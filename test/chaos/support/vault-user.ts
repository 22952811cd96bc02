/**
 * A process that uses a vault until it is killed: takes snapshots of contents that recur, or removes some and prunes. Arguments: capture or
 * prune, vault, password, seed. What a snapshot holds is said by its tag, so that a test can tell it whatever was killed.
 */
import { createHash } from "node:crypto";
import type { Repository } from "../../../src/core/ports/vault.ts";
import { RefloatError } from "../../../src/model/refloat-error.ts";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";
import { contentOf, contentsTag, poolSize } from "./recurring-contents.ts";

const [role = "", vault = "", password = "", seed = ""] = process.argv.slice(2);
const never = new AbortController().signal;

let draws = 0;
const draw = (below: number): number => {
  draws += 1;
  return createHash("sha256").update(`${seed} ${draws}`).digest().readUInt32LE() % below;
};

const capture = async (repository: Repository): Promise<void> => {
  const chosen = [...new Set(Array.from({ length: 3 }, () => draw(poolSize)))];
  const writer = await repository.beginSnapshot({
    hostname: "h",
    time: new Date(),
    tags: [contentsTag(chosen)],
    paths: ["/c"],
  });
  try {
    for (const content of chosen) await writer.bytes(`/c/${content}`, contentOf(content));
    await writer.commit();
  } finally {
    await writer.abort();
  }
};

const prune = async (repository: Repository): Promise<void> => {
  const snapshots = await repository.snapshots();
  const without = snapshots.filter(() => draw(3) === 0).map(({ id }) => id);
  const pruning = await repository.beginPrune({ without, graceMs: 0 }, never);
  try {
    await repository.removeSnapshots(without);
    const { removedPacks } = await pruning.run(never);
    process.stdout.write(`removed ${removedPacks}\n`);
  } finally {
    await pruning.close();
  }
};

for (;;) {
  const repository = await openRepository(vault, password, { clock: systemClock });
  const times = role === "capture" ? 1 + draw(3) : 1;
  for (let time = 0; time < times; time += 1) {
    try {
      await (role === "capture" ? capture(repository) : prune(repository));
      process.stdout.write("done\n");
    } catch (error) {
      // Another prune goes on, say. Anything else ends the process, and the test sees it.
      if (!(error instanceof RefloatError && error.code === "vault.locked")) throw error;
    }
  }
  await repository.close();
}
