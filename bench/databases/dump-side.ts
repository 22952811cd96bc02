/** The logical ways: pg_dump and pg_restore in their parallel form, and Refloat's own capture of the database, out of which one table comes back alone. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { PostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type Measured, measureProcess } from "../recovery/measured-process.ts";
import { type Bank, database, smallTable } from "./bank.ts";
import { RefloatProgram, component } from "./refloat-program.ts";

export class DumpSide {
  readonly #bank: Bank;
  readonly #dump: string;
  readonly #folder: string;
  #restored: PostgresServer | undefined;

  constructor(bank: Bank, folder: string) {
    this.#bank = bank;
    this.#dump = join(folder, "dump");
    this.#folder = join(folder, "dump-restored");
  }

  capture(): Promise<Measured> {
    rmSync(this.#dump, { recursive: true, force: true });
    return this.#run("pg_dump", "-Fd", "-j2", "-f", this.#dump, this.#bank.url);
  }

  /** Into a server of its own: what is written to the live one would be in the log that the others go on by. */
  async restore(): Promise<Measured & { readonly url: string }> {
    this.#restored = await this.#bank.openBeside(this.#folder);
    const url = this.#restored.url(database);
    await query(this.#restored.url("postgres"), `create database ${database}`);
    return { ...(await this.#run("pg_restore", "-j2", "-d", url, this.#dump)), url };
  }

  async remove(): Promise<void> {
    await this.#restored?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The table that was dropped, where it was. */
  restoreTable(): Promise<Measured> {
    return this.#run("pg_restore", "-t", smallTable, "-d", this.#bank.url, this.#dump);
  }

  #run(program: string, ...args: readonly string[]): Promise<Measured> {
    return measureProcess(join(this.#bank.server.binaries, program), args, { cwd: "/" });
  }
}

export class LogicalRefloat {
  readonly #refloat: RefloatProgram;

  /** @param places the folder is made */
  constructor(bank: Bank, places: { readonly folder: string; readonly program: string; readonly password: string }) {
    this.#refloat = new RefloatProgram(places, "tables", { type: "postgres", url: bank.server.url(database) });
  }

  begin(): Promise<void> {
    return this.#refloat.begin();
  }

  capture(): Promise<Measured> {
    return this.#refloat.capture();
  }

  /** The table that was dropped, with all that was its own, where it was. */
  restoreTable(): Promise<Measured> {
    return this.#refloat.run("mend", "tables", "--only", `${component}:public.${smallTable}`, "--yes");
  }
}
