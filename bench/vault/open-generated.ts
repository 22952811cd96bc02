/** A process of its own, as a command is one: opens the repository named, reads a file of its snapshot, and tells how long that took. */
import { systemClock } from "../../src/platform/system-clock.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { generatedPassword } from "./generated-indexes.ts";

const beganMs = performance.now();
const repository = await openRepository(process.argv[2] ?? "", generatedPassword, { clock: systemClock });
try {
  const [snapshot] = await repository.snapshots();
  const reader = await repository.openSnapshot(snapshot?.id ?? "none");
  await reader.read("/a");
  const seconds = (performance.now() - beganMs) / 1000;
  process.stdout.write(JSON.stringify({ seconds }));
} finally {
  await repository.close();
}
