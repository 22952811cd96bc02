/** Refloat with a whole cluster: base backups over the replication protocol into the vault, and the log received beside them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { query } from "../../src/testing/query.ts";
import type { Measured } from "../recovery/measured-process.ts";
import { type Bank, database } from "./bank.ts";
import { type Contestant, bytesBelow } from "./contestant.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { RefloatProgram, component, lastLine } from "./refloat-program.ts";

const service = "bank";
export const slot = `refloat_${service}_${component}`;

const runsSchema = z.object({ data: z.array(z.object({ number: z.int() })) });
const runSchema = z.object({
  data: z.object({
    record: z.object({
      state: z.string(),
      steps: z.array(z.object({ id: z.string(), endedAt: z.iso.datetime().nullable() })),
    }),
  }),
});

/** @param places the folder is made */
export const refloatSide = async (
  bank: Bank,
  places: { readonly folder: string; readonly program: string; readonly password: string },
): Promise<Contestant & { readonly peakRssBytes: () => number }> => {
  const data = join(bank.server.directory, "data");
  const port = await findFreePort(4);
  const refloat = new RefloatProgram(places, service, {
    type: "postgres-cluster",
    data,
    url: bank.server.url("postgres"),
    ports: `${port}-${port + 3}`,
    programs: bank.server.binaries,
  });
  let receiver: ChildProcess | undefined;
  let captured = 0;
  let peakRssBytes = 0;

  const noted = <Result extends Measured>(measured: Result): Result => {
    peakRssBytes = Math.max(peakRssBytes, measured.peakRssBytes);
    return measured;
  };

  const endReceiver = async (): Promise<void> => {
    if (receiver === undefined) return;
    if (receiver.exitCode === null) {
      const exited = once(receiver, "exit");
      receiver.kill("SIGTERM");
      await exited;
    }
    receiver = undefined;
    await query(
      bank.url,
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}'`,
    );
  };

  const beginReceiver = async (): Promise<void> => {
    const [node = "", ...words] = refloat.words("capture", service, "--continuous");
    const said = join(refloat.folder, "receiver.log");
    const log = openSync(said, "w");
    receiver = spawn(node, words, {
      cwd: refloat.folder,
      env: { ...process.env, ...refloat.environment },
      stdio: ["ignore", "ignore", log],
    });
    closeSync(log);
    for (;;) {
      const [row] = await query<{ active: boolean }>(
        bank.url,
        `select active from pg_replication_slots where slot_name = '${slot}'`,
      );
      if (row?.active === true) return;
      if (receiver.exitCode !== null)
        throw new Error(`the receiver of the log has ended: ${readFileSync(said, "utf8")}`);
      await sleep(100);
    }
  };

  return {
    name: "refloat",
    begin: async () => {
      await endReceiver();
      await refloat.begin();
      captured = 0;
      await beginReceiver();
    },
    capture: async () => {
      const measured = noted(await refloat.capture());
      captured += measured.newBytes;
      return measured;
    },
    awaitLog: async () => {
      const [end] = await query<{ position: string }>(bank.url, "select pg_current_wal_flush_lsn()::text as position");
      for (;;) {
        const [row] = await query<{ isThere: boolean }>(
          bank.url,
          `select restart_lsn >= '${end?.position}' as "isThere" from pg_replication_slots where slot_name = '${slot}'`,
        );
        if (row?.isThere === true) return;
        await sleep(100);
      }
    },
    restore: async () => {
      const beganAtMs = Date.now();
      const measured = noted(await refloat.run("recover", service, "--no-cutover", "--yes"));
      const { data: runs } = runsSchema.parse(lastLine(await refloat.run("runs")));
      const number = Math.max(...runs.map((run) => run.number));
      const { data: run } = runSchema.parse(lastLine(await refloat.run("runs", String(number))));
      const restored = run.record.steps.find(({ id }) => id === `restore:${component}`)?.endedAt;
      if (restored === undefined || restored === null) throw new Error(`run ${number} has restored nothing`);
      const settings = readFileSync(join(`${data}.r${number}`, "refloat-instance.conf"), "utf8");
      const own = /^port = (\d+)$/m.exec(settings)?.[1];
      return {
        runningMs: Date.parse(restored) - beganAtMs,
        wholeMs: measured.wallMs,
        url: `postgres://postgres@127.0.0.1:${own}/${database}`,
        remove: async () => {
          await refloat.run("cancel", String(number), "--yes");
        },
      };
    },
    bytes: () => bytesBelow(refloat.vault),
    captureBytes: () => captured,
    end: endReceiver,
    peakRssBytes: () => peakRssBytes,
  };
};
