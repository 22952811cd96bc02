/** What keeps a restored cluster from acting: in its files, and against a command line that would win over them. No server is needed. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { shellWord } from "../../core/text/shell-word.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { settingIn } from "./arming/settings-text.ts";
import { armedOnLine, withDisarmed, withoutDisarmed } from "./command-line.ts";
import { disarm, keptSettingsName, librariesOffName, readDisarmed } from "./disarm.ts";
import { readStartOptions } from "./postmaster.ts";

let folder: TestFolder;
const at = (name: string): string => join(folder.path, name);
const present = (): Promise<string> => readFile(at("postgresql.auto.conf"), "utf8");

beforeEach(async () => {
  folder = await createTestFolder("refloat-disarm");
});
afterEach(() => folder.remove());

describe("a restored cluster", () => {
  test("that was captured before anybody had armed it keeps its original, and what was changed since", async () => {
    const original = "archive_mode = 'on'\n";
    await writeFile(at("postgresql.auto.conf"), original);
    await disarm(folder.path, { preloadedLibraries: "timescaledb, pg_stat_statements" }, "run 1");
    await writeFile(at("postgresql.auto.conf"), `${await present()}work_mem = '1GB'\n`);
    await disarm(folder.path, { preloadedLibraries: "pg_stat_statements" }, "run 2");
    expect(await present()).toContain("work_mem = '1GB'");
    expect(settingIn(await present(), librariesOffName)).toBe("timescaledb");
    await rename(at(keptSettingsName), at("postgresql.auto.conf"));
    expect(await present()).toBe(original);
    expect(await readDisarmed(folder.path)).toBeNull();
  });

  test.each([
    ["pg_stat_statements, auto_explain", "pg_stat_statements, auto_explain", null],
    ['"$libdir/pg_stat_statements",pg_cron,pg_net', '"$libdir/pg_stat_statements"', "pg_cron, pg_net"],
    ["", "", null],
    [null, "", "whichever postgresql.conf names"],
  ])("with the libraries %s loads those that only observe", async (preloadedLibraries, loaded, off) => {
    await disarm(folder.path, { preloadedLibraries }, "run 1");
    expect(await readDisarmed(folder.path)).toMatchObject({ shared_preload_libraries: loaded, archive_mode: "off" });
    expect(settingIn(await present(), librariesOffName)).toBe(off);
  });
});

describe("a command line", () => {
  const disarmed = { archive_mode: "off", archive_command: "", shared_preload_libraries: "pg_stat_statements" };
  const options = [
    "-p",
    "5432",
    "-c",
    "archive_mode=on",
    "--archive-command=cp %p '/srv/old archive/%f'",
    "-cshared_preload_libraries=pg_cron",
  ]
    .map(shellWord)
    .join(" ");

  test("that arms is answered at its end, and told from what people have put there", async () => {
    const held = withDisarmed(options, disarmed);
    expect(held.startsWith(options)).toBe(true);
    expect(armedOnLine(held, disarmed)).toEqual([]);
    const words = ["-p", "5432", "-c", "refloat.disarmed=on", "-c", "archive_mode=off"];
    expect(withoutDisarmed(words)).toEqual(["-p", "5432"]);
    await writeFile(
      at("postmaster.opts"),
      `/usr/bin/postgres "-D" "/srv/data" ${words.map((w) => `"${w}"`).join(" ")}\n`,
    );
    expect((await readStartOptions(folder.path))?.options).toBe("-p 5432");
  });

  test("is asked for each setting in every form that PostgreSQL takes", () => {
    expect(armedOnLine(options, disarmed)).toEqual(["archive_mode", "archive_command", "shared_preload_libraries"]);
    expect(armedOnLine("--ARCHIVE-MODE=always", disarmed)).toEqual(["archive_mode"]);
    expect(armedOnLine("-c archive_mode=on -c archive_mode=false", disarmed)).toEqual([]);
  });

  test("that does not arm stays as it is", () => {
    const plain = "-p 5432 -c config_file=/etc/postgresql/15/main/postgresql.conf";
    expect(withDisarmed(plain, disarmed)).toBe(plain);
    expect(withDisarmed("", disarmed)).toBe("");
  });
});
