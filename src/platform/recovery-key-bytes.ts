import { randomBytes } from "node:crypto";
import { recoveryKeyBytes } from "../core/keys/recovery-key.ts";

/** What a new recovery key is drawn from. */
export const drawRecoveryKeyBytes = (): Uint8Array => randomBytes(recoveryKeyBytes);
