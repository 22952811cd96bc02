/**
 * A process that captures into a remote vault and reads all of it through a cache that others use, and delete, at the same time. Ends with a
 * word on the first wrong byte, error or warning. Arguments: vault, password, sshConfig, cache folder, seed, rounds.
 */
import { createHash } from "node:crypto";
import type { Log } from "../../../src/core/ports/environment.ts";
import type { Repository } from "../../../src/core/ports/vault.ts";
import { silentLog } from "../../../src/platform/log.ts";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";
import { contentOf, contentsOfTags, contentsTag, poolSize } from "./recurring-contents.ts";

const [vault = "", password = "", sshConfig = "", folder = "", seed = "", rounds = "1"] = process.argv.slice(2);
/** Small enough that what was used longest ago has to go now and then. */
const cache = { folder, maxBytes: 300_000 };
const log: Log = { ...silentLog, warn: (message) => void process.stdout.write(`warned: ${message}\n`) };

const draw = (round: number, at: number): number =>
  createHash("sha256").update(`${seed} ${round} ${at}`).digest().readUInt32LE() % poolSize;

const capture = async (repository: Repository, round: number): Promise<void> => {
  const chosen = [...new Set([draw(round, 0), draw(round, 1)])];
  const writer = await repository.beginSnapshot({
    hostname: "h",
    time: new Date(),
    tags: [contentsTag(chosen)],
    paths: ["/c"],
  });
  try {
    for (const content of chosen) await writer.bytes(`/c/deep/${content}/file`, contentOf(content));
    await writer.commit();
  } finally {
    await writer.abort();
  }
};

const readAll = async (repository: Repository): Promise<void> => {
  for (const { id, tags } of await repository.snapshots()) {
    const reader = await repository.openSnapshot(id);
    for (const content of contentsOfTags(tags)) {
      const found = Buffer.from(await reader.read(`/c/deep/${content}/file`));
      if (!found.equals(contentOf(content))) throw new Error(`a wrong byte was handed out of snapshot ${id}`);
      process.stdout.write("read\n");
    }
  }
};

for (let round = 0; round < Number(rounds); round += 1) {
  const repository = await openRepository(vault, password, { clock: systemClock, log, settings: { sshConfig, cache } });
  await capture(repository, round);
  await readAll(repository);
  await repository.close();
}
