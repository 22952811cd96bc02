import { open } from "node:fs/promises";
import type { ByteStream } from "../../core/ports/bytes.ts";

/** Makes a file that only its owner reads of all that comes. @throws what the system says, also where the file is there already; the signal's reason */
export const writeInFull = async (content: ByteStream, path: string, signal: AbortSignal): Promise<void> => {
  const file = await open(path, "wx", 0o600);
  try {
    for await (const piece of content) {
      signal.throwIfAborted();
      for (let at = 0; at < piece.length;) at += (await file.write(piece, at, piece.length - at)).bytesWritten;
    }
  } finally {
    await file.close();
  }
};
