/**
 * A process that changes a vault and is killed at its n-th write (`KILL_AT`); if it is not, it prints how many there were. Arguments: an act,
 * then its folders.
 */
import { metWrites } from "../../../src/testing/kill-at-write.ts";
import { createCopyBench, copyTo, otherPassword } from "../../interop/support/copy-bench.ts";
import { password } from "../../interop/support/restic.ts";
import { copyVault } from "../../../src/operations/vault-copy.ts";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { openRepository } from "../../../src/vault/repository/open-repository.ts";
import { mendVault } from "./mend-vault.ts";

const never = new AbortController().signal;
const threadEntry = new URL("../../../src/testing/killed-vault-worker.ts", import.meta.url);
const environment = { clock: systemClock, threadEntry };

const acts: Readonly<Record<string, (...folders: readonly string[]) => Promise<void>>> = {
  capture: async (vault = "", tree = "", sshConfig = "") => {
    const repository = await openRepository(vault, password, { ...environment, settings: { sshConfig } });
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
    await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
    await writer.commit();
    await repository.close();
  },
  repair: async (vault = "", copy = "", evidence = "") => {
    const repository = await openRepository(vault, password, environment);
    const other = await openRepository(copy, otherPassword, environment);
    await mendVault(repository, other, evidence);
    await other.close();
    await repository.close();
  },
  copy: async (from = "", to = "") => {
    const source = await openRepository(from, password, environment);
    const { bench, close } = createCopyBench(source, {}, threadEntry);
    await copyVault(
      bench,
      copyTo(to),
      never,
      () => undefined,
      () => undefined,
    );
    await close();
    await source.close();
  },
};

const [act = "", ...folders] = process.argv.slice(2);
await acts[act]?.(...folders);
process.stdout.write(String(metWrites()));
