/** The logical ways: pg_dump and pg_restore in their parallel form, and Refloat's own capture of the database, out of which one table comes back alone. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { query } from "../../src/testing/query.ts";
import { type Measured, measureProcess } from "../recovery/measured-process.ts";
import { type Bank, database, smallTable } from "./bank.ts";
import { RefloatProgram, component } from "./refloat-program.ts";

const restoredName = "restored";

export class DumpSide {
  readonly #bank: Bank;
  readonly #dump: string;

  constructor(bank: Bank, folder: string) {
    this.#bank = bank;
    this.#dump = join(folder, "dump");
  }

  capture(): Promise<Measured> {
    rmSync(this.#dump, { recursive: true, force: true });
    return this.#run("pg_dump", "-Fd", "-j2", "-f", this.#dump, this.#bank.url);
  }

  /** Into a new database of the live server. */
  async restore(): Promise<Measured & { readonly url: string }> {
    const url = this.#bank.server.url(restoredName);
    await query(this.#bank.url, `create database ${restoredName}`);
    return { ...(await this.#run("pg_restore", "-j2", "-d", url, this.#dump)), url };
  }

  remove(): Promise<unknown> {
    return query(this.#bank.url, `drop database if exists ${restoredName} with (force)`);
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
