/** Rows as a CSV file with a header: written beside it first and renamed when it is whole. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncDirectory } from "../../platform/atomic-file.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { copyOut } from "../../platform/postgres/copy-out.ts";
import type { Session } from "../../platform/postgres/session.ts";

/** `orders` gives `orders.csv`; what could leave the folder or collide is replaced and told apart by `oid`. */
export const exportFileName = (label: string, oid: string): string => {
  const plain = label.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
  return plain === label && !plain.startsWith(".") ? `${plain}.csv` : `${plain.replace(/^\.+/, "")}-${oid}.csv`;
};

/** @param select a query @throws RefloatError target.failed when the file cannot be written, source.* as the server says */
export const exportRows = async (session: Session, select: string, folder: string, name: string): Promise<number> =>
  translateSystemErrors("target.failed", `${name} could not be written`, async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, name);
    const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      const handle = await open(temporary, "wx", 0o600);
      let rows: number | undefined;
      try {
        const source = copyOut(session, `copy (${select}) to stdout with (format csv, header true)`);
        for await (const chunk of source.bytes) await handle.writeFile(chunk);
        ({ rows } = await source.seal());
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
      await syncDirectory(dirname(path));
      return rows ?? 0;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
