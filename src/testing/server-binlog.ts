/** The binary log of a test server, as the vault would give what it has received of it: from the server's own files. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { comparePositions } from "../core/logs/log-position.ts";
import type { LogReader } from "../core/ports/vault-logs.ts";
import { fileName, placeAt, positionOf, readFileName } from "../drivers/mariadb/binlog-line.ts";
import { RefloatError } from "../model/refloat-error.ts";
import type { MariadbServer } from "./mariadb-server.ts";

/** Of the log of a test server whose files are called `binlog`, as a receiver would name it. */
export const binlogLine = "1/binlog/1-1";

/** Where it ends. */
export const writtenTo = async (server: MariadbServer): Promise<string> => {
  const [file = "", offset] = (await server.sql("SHOW MASTER STATUS;")).split("\t");
  return positionOf({ number: readFileName(file)?.number ?? 0, offset: Number(offset) });
};

/** @param failAt from there on nothing can be read */
export const serverBinlog = (server: MariadbServer, failAt = "FFFFFFFF/0"): LogReader => ({
  spans: [],
  history: async () => null,
  read: async function* read(_line, from, to) {
    const last = placeAt(to);
    for (let at = placeAt(from); comparePositions(positionOf(at), to) < 0; at = { number: at.number + 1, offset: 0 }) {
      const path = join(server.directory, "data", fileName({ base: "binlog", number: at.number }));
      const content = await readFile(path);
      const end = at.number === last.number ? last.offset : content.length;
      for (let offset = at.offset; offset < end;) {
        if (comparePositions(positionOf({ number: at.number, offset }), failAt) >= 0)
          throw new RefloatError("vault.damaged", "a piece of the log is damaged");
        const next = Math.min(offset + 777, end);
        yield content.subarray(offset, next);
        offset = next;
      }
    }
  },
});
