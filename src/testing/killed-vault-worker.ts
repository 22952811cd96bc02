/** A worker thread of a vault whose process is killed at one of its writes. */
// oxlint-disable-next-line import/no-unassigned-import -- what is killed has to be wrapped before the store takes hold of it
import "./kill-at-write.ts";
import { runVaultThread } from "../vault/repository/threads/vault-thread.ts";

runVaultThread();
