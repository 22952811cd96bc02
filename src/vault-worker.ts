/** Entry of the vault's worker threads. */
import { runVaultThread } from "./vault/repository/threads/vault-thread.ts";

runVaultThread();
