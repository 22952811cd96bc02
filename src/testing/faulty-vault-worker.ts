/** A worker thread of a vault whose store has faults. The URL that it is started by says which: `?seed=1&rate=0.1&faults=failed,bit-flip`. */
import { threadId } from "node:worker_threads";
import { runVaultThread } from "../vault/repository/threads/vault-thread.ts";
import { type FaultKind, faultyStore, seededRandom } from "./faulty-store.ts";

const { searchParams } = new URL(import.meta.url);
const random = seededRandom(Number(searchParams.get("seed")) + threadId);
const rate = Number(searchParams.get("rate"));
const faults = (searchParams.get("faults") ?? "").split(",") as FaultKind[];

runVaultThread((store) =>
  faultyStore(store, {
    random,
    draw: () => (random() < rate ? faults[Math.floor(random() * faults.length)] : undefined),
  }),
);
