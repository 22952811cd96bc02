/**
 * The member's database as `etcdctl snapshot save` gets it: a bolt file of one moment, and behind it the SHA-256 of all before. Held against that as
 * it passes, so that what is torn or wrong is no capture; it stays where it is, since `snapshot restore` asks for it again.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { SealedStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { Gateway } from "./gateway.ts";

/** Behind the file. */
export const hashBytes = 32;

const pieceSchema = z.object({ blob: z.base64().default("") });

/** @param began with the first byte: the moment of the snapshot has been chosen */
export const snapshotStream = (gateway: Gateway, began: () => void): SealedStream => {
  const hash = createHash("sha256");
  let kept: Buffer = Buffer.alloc(0);
  let isFirst = true;
  async function* read(): AsyncIterable<Uint8Array> {
    for await (const piece of gateway.stream("maintenance/snapshot", {})) {
      if (isFirst) began();
      isFirst = false;
      const bytes = Buffer.from(pieceSchema.parse(piece).blob, "base64");
      const all = Buffer.concat([kept, bytes]);
      const ready = Math.max(0, all.length - hashBytes);
      hash.update(all.subarray(0, ready));
      kept = all.subarray(ready);
      if (bytes.length > 0) yield bytes;
    }
  }
  return {
    bytes: read(),
    seal: async () => {
      if (kept.length === hashBytes && hash.digest().equals(kept)) return {};
      throw new RefloatError("source.failed", "the member's snapshot is not what its own hash says", {
        state: "no point was made",
      });
    },
  };
};
